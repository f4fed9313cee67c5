"""MPII Human Pose: 2D joints of people in video frames of many activities, in three variants.

The plain one has people apart from others, with annotated boxes; the merged sets have all people
that a detector finds, with its boxes. `docs/prepare/mpii.md` says what to download.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.matching import assign_boxes, joint_box
from metrabs.data.examples import Pose2DExample
from metrabs.datasets.readers import read_mat, reading
from metrabs.errors import unknown_name_error
from metrabs.geometry import boxes
from metrabs.settings import setting
from metrabs.skeletons import JointInfo

_PLAIN = "plain"
# What each variant leaves out of the 16 joints.
_LEFT_OUT = {
    _PLAIN: ("pelv", "thor", "neck", "head"),
    "yolo_nofilt": (),
    "yolo": ("pelv", "thor", "neck", "head", "rsho", "lsho"),
}
_NUM_JOINTS = 16
_MIN_JOINTS = 7
_BOX_FACTOR = 1.25
_MIN_CONFIDENCE = 0.5
# The unit of the annotated scale, and how much of the box its centre lies below the annotated one.
_SCALE_PX = 200
_SHIFT_DOWN = 0.075
_ANNOTATION_FILE = "mpii_human_pose_v1_u12_1.mat"
_IMAGES_PER_CHUNK = 1000
_OPTIONS = CropOptions(skip_broken_images=True)


class Chunk(NamedTuple):
    """Consecutive annotated images, in the order of the annotation file."""

    start: int

    def __str__(self) -> str:
        return f"{self.start:06d}"


class _Person(NamedTuple):
    index: int  # among all rectangles of the image, annotated with joints or not
    is_alone: bool
    joints_px: np.ndarray  # [16, 2], NaN where not annotated
    box_px: Optional[np.ndarray]  # from the annotated position and scale


class _Image(NamedTuple):
    name: str
    people: list[_Person]  # those with joints


class _Chosen(NamedTuple):
    number: int  # in the name of the crop
    joints_px: np.ndarray
    box_px: np.ndarray


@dataclasses.dataclass(frozen=True)
class Mpii(Converter):
    """Converts MPII Human Pose; its field is its setting."""

    NAME = "mpii"
    TITLE = "MPII Human Pose"
    FOLDER = "mpii"
    DETECTION_FILES = ("yolov4_detections.pkl", "yolov3_detections.pkl")

    variant: str = setting(
        _PLAIN,
        (
            "'plain': people apart from others, 12 joints, annotated boxes; 'yolo_nofilt': all "
            "detected people, 16 joints, for the merged sets; 'yolo': the same with 10 joints"
        ),
    )

    def __post_init__(self) -> None:
        """Rejects unknown variants."""
        if self.variant not in _LEFT_OUT:
            raise unknown_name_error("variant of MPII", self.variant, _LEFT_OUT)

    @property
    def needs_detections(self) -> bool:
        """Whether boxes are those of a detector."""
        return self.variant != _PLAIN

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, with the original name; those of the variants are separate."""
        return f"mpii_downscaled{self._suffix}"

    def joint_info(self) -> JointInfo:
        """Returns the joints of the variant."""
        return super().joint_info().select_joints(self._joint_indices)

    def caches(self) -> dict[str, JointInfo]:
        """Returns the joints; each variant has a separate cache file."""
        return {f"mpii{self._suffix}": self.joint_info()}

    @property
    def _suffix(self) -> str:
        return "" if self.variant == _PLAIN else f"_{self.variant}"

    @property
    def _joint_indices(self) -> list[int]:
        names = super().joint_info().names
        return [i for i, name in enumerate(names) if name not in _LEFT_OUT[self.variant]]

    def downloads(self) -> Sequence[Download]:
        """Returns the images and the annotation file."""
        site = "from human-pose.mpi-inf.mpg.de into 'mpii'"
        return [
            Download("mpii/images/*.jpg", f"download and unpack mpii_human_pose_v1.tar.gz {site}"),
            Download(
                f"mpii/{_ANNOTATION_FILE}",
                f"download and unpack mpii_human_pose_v1_u12_2.zip {site}, without folders",
            ),
        ]

    def sequences(self, data_root: pathlib.Path) -> list[Chunk]:
        """Lists chunks of a thousand annotated images."""
        num_images = len(_read_images(data_root / "mpii" / _ANNOTATION_FILE))
        return [Chunk(start) for start in range(0, num_images, _IMAGES_PER_CHUNK)]

    def examples(self, sequence: Chunk, context: ConversionContext) -> SplitExamples:
        """Yields the chosen people of a chunk of images."""
        images = _read_images(context.folder / _ANNOTATION_FILE)
        for image in images[sequence.start : sequence.start + _IMAGES_PER_CHUNK]:
            key = f"images/{image.name}"
            choose = self._detected_people if self.needs_detections else _people_alone
            for number, joints_px, box_px in choose(image.people, key, context):
                example = Pose2DExample(f"mpii/{key}", joints_px[self._joint_indices], box_px)
                stem = pathlib.PurePath(image.name).stem
                crop_path = f"{self.crop_folder}/images/{stem}_{number:02d}.jpg"
                cropped = context.crop(example, crop_path, _OPTIONS)
                if cropped is not None:
                    yield "train", cropped

    def _detected_people(
        self, people: Sequence[_Person], key: str, context: ConversionContext
    ) -> Iterator[_Chosen]:
        """Yields the detected people, numbered among the people with joints."""
        found = context.detect(key)
        found = found[found[:, 4] > _MIN_CONFIDENCE]
        joint_boxes = np.array([joint_box(person.joints_px, _BOX_FACTOR) for person in people])
        pairs = assign_boxes(joint_boxes, found)
        for _ in range(len(people) - len(pairs)):
            context.skip("no detection of an annotated person", key)
        for number, detection in pairs:
            joints_px = people[number].joints_px
            if (~np.isnan(joints_px[self._joint_indices, 0])).sum() >= _MIN_JOINTS:
                yield _Chosen(number, joints_px, found[detection, :4])
            else:
                context.skip("too few joints", key)


def _people_alone(
    people: Sequence[_Person], key: str, context: ConversionContext
) -> Iterator[_Chosen]:
    """Yields people apart from others, numbered among all rectangles of the image."""
    for person in people:
        if not person.is_alone:
            context.skip("person close to others", key)
        elif person.box_px is None:
            context.skip("no position or scale", key)
        else:
            yield _Chosen(person.index, person.joints_px, person.box_px)


@functools.lru_cache(maxsize=1)
def _read_images(path: pathlib.Path) -> list[_Image]:
    """Returns the training images with annotated people."""
    release = read_mat(path, "RELEASE")
    with reading(path, "the annotation of MPII Human Pose, version u12_1"):
        images = _as_list(release.annolist)
        # With a single image, the list of its people would look like a list of images.
        alone = _as_list(release.single_person) if len(images) > 1 else [release.single_person]
        found = [
            _Image(str(image.image.name), people)
            for image, numbers, is_training in zip(images, alone, _as_list(release.img_train))
            if is_training and (people := _people_of(image, {int(n) for n in _as_list(numbers)}))
        ]
    return found


def _people_of(image: Any, numbers_alone: set[int]) -> list[_Person]:
    """Returns the people with joints; numbers (from 1) say which are apart from others."""
    people = []
    for i, rectangle in enumerate(_as_list(image.annorect)):
        points = getattr(getattr(rectangle, "annopoints", None), "point", None)
        if points is not None and len(_as_list(points)):
            joints_px = np.full((_NUM_JOINTS, 2), np.nan, np.float32)
            for point in _as_list(points):
                joints_px[int(point.id)] = point.x, point.y
            people.append(_Person(i, i + 1 in numbers_alone, joints_px, _box_of(rectangle)))
    return people


def _box_of(rectangle: Any) -> Optional[np.ndarray]:
    """Returns the float32 [4] square around the annotated position, or None if there is none."""
    position = getattr(rectangle, "objpos", None)
    scale = _as_list(getattr(rectangle, "scale", ()))
    if not (scale and hasattr(position, "x") and hasattr(position, "y")):
        return None
    side_px = _SCALE_PX * float(scale[0])
    center_px = np.array([position.x, position.y + _SHIFT_DOWN * side_px], np.float32)
    return boxes.box_around(center_px, side_px)


def _as_list(value: Any) -> list[Any]:
    """Returns MATLAB's array as a list; arrays of one item have been read as that item."""
    return list(np.atleast_1d(np.asarray(value, object)).ravel())
