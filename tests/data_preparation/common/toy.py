"""A dataset that is nothing but its machinery: numbered sequences of grey images."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from data_preparation.common.converter import Converter, Download
from metrabs.data.examples import Pose2DExample
from metrabs.errors import UserError
from metrabs.settings import setting
from metrabs.skeletons import JointInfo
from tests.data_preparation.fakes.toolkit import blank_image, write_image

JOINTS = JointInfo("pelv,lhip,rhip", "pelv-lhip")
IMAGES_PER_SEQUENCE = 2


@dataclasses.dataclass(frozen=True)
class Toy(Converter):
    """Every conversion of a sequence leaves a trace in the folder `traces`."""

    NAME = "toy"
    TITLE = "Toy dataset"
    FOLDER = "toy"
    DETECTION_FILES = ("found.pkl",)
    TAKES_CROP_MASKS = True

    numbers: tuple[int, ...] = setting((1, 2, 3), "numbers of the sequences", selects=True)
    room: float = setting(1.0, "a setting that matters")
    broken: int = setting(0, "number of a sequence that cannot be read", selects=True)
    prepared: tuple[int, ...] = setting((), "numbers of what is to be done before", selects=True)

    def downloads(self):
        return [Download("toy/images/*.jpg", "run make_toy")]

    def joint_info(self):
        return JOINTS

    def caches(self):
        return {"toy": JOINTS, "toy_pelvis": JointInfo("pelv")}

    def preparations(self, data_root):
        return [f"first/{number}" for number in self.prepared]

    def sequences(self, data_root):
        return list(self.numbers)

    def examples(self, sequence, context):
        if isinstance(sequence, str):
            if sequence.endswith("13"):
                raise UserError("File 'toy/13' is damaged.")
            (context.data_root / "prepared").touch()
            return
        if self.prepared:
            assert (context.data_root / "prepared").exists()
        trace = context.data_root / "traces" / str(sequence)
        trace.mkdir(parents=True, exist_ok=True)
        (trace / str(len(list(trace.iterdir())))).touch()
        for i in range(IMAGES_PER_SEQUENCE):
            key = f"images/{sequence}_{i}.jpg"
            box = np.array([10, 10, 30, 40], np.float32)
            found = context.detect(key)
            if len(found):
                box = found[0, :4]
            if sequence == self.broken:
                raise UserError(f"File 'toy/{sequence}' is damaged.")
            example = Pose2DExample(f"toy/{key}", np.full((3, 2), 20.0 + i, np.float32), box)
            cropped = context.crop(example, f"{self.crop_folder}/{key}")
            if cropped is not None:
                yield ("train", "valid")[i % 2], cropped
        context.skip("no reason", sequence)


def make_toy(root: pathlib.Path, numbers=(1, 2, 3)) -> None:
    """Writes the images."""
    for number in numbers:
        for i in range(IMAGES_PER_SEQUENCE):
            path = root / "toy" / "images" / f"{number}_{i}.jpg"
            write_image(path, blank_image((80, 60), 20 * number))


def num_conversions(root: pathlib.Path) -> dict[int, int]:
    """Returns how often each sequence was converted."""
    return {int(trace.name): len(list(trace.iterdir())) for trace in (root / "traces").iterdir()}


def detect_all(image):
    """A detector that finds one person of the brightness of the image."""
    return np.array([[5, 5, 20, 30, image.mean() / 255]], np.float32)


def segment_box(image, box):
    """A segmenter that finds whatever is in the box."""
    mask = np.zeros(image.shape[:2], bool)
    left, top, width, height = box.astype(int)
    mask[top : top + height, left : left + width] = True
    return mask
