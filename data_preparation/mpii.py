"""MPII Human Pose: 16 joints of people in video frames of many activities, 2D.

Boxes are those of a person detector. `docs/prepare/mpii.md` tells what to download.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_preparation.common.converter import Converter, Download
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.matching import assign_boxes, joint_box
from data_preparation.common.readers import read_mat, reading
from data_preparation.common.workbench import Workbench
from metrabs.data.examples import Example, Pose2DExample

_NUM_JOINTS = 16
_MIN_JOINTS = 7
_BOX_FACTOR = 1.25
_MIN_CONFIDENCE = 0.5
_ANNOTATION_FILE = "mpii_human_pose_v1_u12_1.mat"
_IMAGES_PER_CHUNK = 1000
_OPTIONS = CropOptions(skip_broken_images=True)


class Chunk(NamedTuple):
    """Some of the annotated images, in the order of the annotation file."""

    start: int

    def __str__(self) -> str:
        return f"{self.start:06d}"


class _Image(NamedTuple):
    name: str
    people_px: np.ndarray  # [n, 16, 2]


@dataclasses.dataclass(frozen=True)
class Mpii(Converter):
    """Converts MPII Human Pose."""

    NAME = "mpii"
    TITLE = "MPII Human Pose"
    FOLDER = "mpii"
    DETECTION_FILES = ("yolov4_detections.pkl", "yolov3_detections.pkl")
    NEEDS_DETECTIONS = True

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, named as in the release."""
        return "mpii_downscaled_yolo_nofilt"

    def downloads(self) -> Sequence[Download]:
        """Returns the images and the annotation file."""
        site = "from human-pose.mpi-inf.mpg.de into 'mpii'"
        return [
            Download("mpii/images/*.jpg", f"download and unpack mpii_human_pose_v1.tar.gz {site}"),
            Download(f"mpii/{_ANNOTATION_FILE}",
                     f"download and unpack mpii_human_pose_v1_u12_2.zip {site}, without folders"),
        ]

    def sequences(self, data_root: pathlib.Path) -> list[Chunk]:
        """Lists chunks of a thousand annotated images."""
        num_images = len(_read_images(data_root / "mpii" / _ANNOTATION_FILE))
        return [Chunk(start) for start in range(0, num_images, _IMAGES_PER_CHUNK)]

    def examples(self, sequence: Chunk, bench: Workbench) -> Iterator[tuple[str, Example]]:
        """Yields the people of some images who were detected."""
        images = _read_images(bench.folder / _ANNOTATION_FILE)
        for image in images[sequence.start:sequence.start + _IMAGES_PER_CHUNK]:
            key = f"images/{image.name}"
            found = bench.detect(key)
            found = found[found[:, 4] > _MIN_CONFIDENCE]
            boxes = np.array([joint_box(joints, _BOX_FACTOR) for joints in image.people_px])
            pairs = assign_boxes(boxes, found)
            for _ in range(len(boxes) - len(pairs)):
                bench.skip("no detection of an annotated person", key)
            for person, detection in pairs:
                joints_px = image.people_px[person]
                if (~np.isnan(joints_px[:, 0])).sum() < _MIN_JOINTS:
                    bench.skip("too few joints", key)
                    continue
                example = Pose2DExample(f"mpii/{key}", joints_px, found[detection, :4])
                stem = pathlib.PurePath(image.name).stem
                crop_path = f"{self.crop_folder}/images/{stem}_{person:02d}.jpg"
                cropped = bench.crop(example, crop_path, _OPTIONS)
                if cropped is not None:
                    yield "train", cropped


@functools.lru_cache(maxsize=1)
def _read_images(path: pathlib.Path) -> list[_Image]:
    """Returns the training images with annotated people."""
    release = read_mat(path, "RELEASE")
    with reading(path, "the annotation of MPII Human Pose, version u12_1"):
        images = [
            _Image(str(image.image.name), people)
            for image, is_training in zip(_as_list(release.annolist), _as_list(release.img_train))
            if is_training and len(people := _people_of(image))
        ]
    return images


def _people_of(image: Any) -> np.ndarray:
    """Returns [n, 16, 2] joints of the people with joints, pixels, NaN where not annotated."""
    people = []
    for rectangle in _as_list(image.annorect):
        points = getattr(getattr(rectangle, "annopoints", None), "point", None)
        if points is not None and len(_as_list(points)):
            joints_px = np.full((_NUM_JOINTS, 2), np.nan, np.float32)
            for point in _as_list(points):
                joints_px[int(point.id)] = point.x, point.y
            people.append(joints_px)
    return np.array(people)


def _as_list(value: Any) -> list[Any]:
    """Returns MATLAB's array as a list, which reading has squeezed to a value if it had one."""
    return list(np.atleast_1d(np.asarray(value, object)).ravel())
