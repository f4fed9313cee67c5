"""COCO keypoints: 17 2D joints and masks of people in photographs.

Images and annotations of 2014. `docs/prepare/coco.md` says what to download.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.crop_images import SourceMask
from data_preparation.common.matching import joint_box, pairwise_iou
from metrabs.data.examples import Pose2DExample
from metrabs.data.storage.masks import decode_mask
from metrabs.datasets.readers import read_json, reading
from metrabs.errors import UserError, unknown_name_error
from metrabs.settings import setting
from metrabs.skeletons import JointInfo

_NUM_JOINTS = 17
_MIN_VISIBLE, _MIN_LABELLED = _NUM_JOINTS / 3, _NUM_JOINTS / 2
_MIN_SIDE_PX = 200
_BOX_FACTOR = 1.25
_MAX_IOU_OF_SINGLE = 0.1
_IMAGES_PER_CHUNK = 1000
_MAX_POLYGON_IMAGES = 10  # distance of polygons from the origin, in sides of the image
_OPTIONS = CropOptions(skip_broken_images=True)
_SPLITS = {"train2014": "train", "val2014": "valid"}
_ADVICE = "download the 2014 train and val images and annotations from cocodataset.org"


class Chunk(NamedTuple):
    """Consecutive annotated images of an official split, in the order of their file names."""

    split: str
    start: int

    def __str__(self) -> str:
        return f"{self.split}/{self.start:06d}"


class _Person(NamedTuple):
    number: int  # among those of the image that have enough joints
    joints_px: np.ndarray
    annotation: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Coco(Converter):
    """Converts COCO; its fields are its settings."""

    NAME = "coco"
    TITLE = "COCO keypoints"
    FOLDER = "coco"
    VERSION = 2  # masks were half a pixel too large

    splits: tuple[str, ...] = setting(
        tuple(_SPLITS),
        "official splits to convert; val2014 becomes the validation split",
        selects=True,
    )
    single_person: bool = setting(False, "only people who do not overlap with others")

    @property
    def crop_folder(self) -> str:
        """Folder of the crops; those of the variants are separate."""
        return "coco_downscaled" if self.single_person else "coco_downscaled_multi"

    def caches(self) -> dict[str, JointInfo]:
        """Returns the joints; people apart from others have a separate cache file."""
        return {"coco_single_person" if self.single_person else "coco": self.joint_info()}

    def downloads(self) -> Sequence[Download]:
        """Returns the image folder and the annotation file of each split."""
        patterns = [
            (f"{split}/*.jpg", f"annotations/person_keypoints_{split}.json")
            for split in self.splits
        ]
        return [Download(f"coco/{pattern}", _ADVICE) for pattern in itertools.chain(*patterns)]

    def sequences(self, data_root: pathlib.Path) -> list[Chunk]:
        """Lists chunks of a thousand annotated images."""
        for split in self.splits:
            if split not in _SPLITS:
                raise unknown_name_error("split of COCO", split, _SPLITS)
        return [
            Chunk(split, start)
            for split in self.splits
            for start in range(0, len(_read_split(data_root, split)), _IMAGES_PER_CHUNK)
        ]

    def examples(self, sequence: Chunk, context: ConversionContext) -> SplitExamples:
        """Yields the people of a chunk of images."""
        images = _read_split(context.data_root, sequence.split)
        for image in images[sequence.start : sequence.start + _IMAGES_PER_CHUNK]:
            for person in self._chosen_people(image, context):
                example = self._example(sequence.split, image, person, context)
                if example is not None:
                    yield _SPLITS[sequence.split], example

    def _chosen_people(
        self, image: Mapping[str, Any], context: ConversionContext
    ) -> list[_Person]:
        labelled = [(a, joints_of(a["keypoints"])) for a in image["annotations"]]
        people = [
            _Person(i, joints, annotation)
            for i, (annotation, joints) in enumerate(
                (a, joints) for a, joints in labelled if _has_enough_joints(a["keypoints"])
            )
        ]
        boxes = np.array([joint_box(person.joints_px, _BOX_FACTOR) for person in people])
        is_chosen = np.array([box[2:].max() >= _MIN_SIDE_PX for box in boxes], bool)
        if self.single_person:
            overlaps = pairwise_iou(boxes, boxes) - np.eye(len(boxes))
            is_chosen &= (overlaps < _MAX_IOU_OF_SINGLE).all(axis=1)
        if len(people) < len(labelled):
            context.issues.add(
                "skipped", "too few joints", image["file_name"], len(labelled) - len(people)
            )
        if sum(is_chosen) < len(people):
            context.issues.add(
                "skipped",
                "person too small or not alone",
                image["file_name"],
                len(people) - sum(is_chosen),
            )
        return [person for person, chosen in zip(people, is_chosen) if chosen]

    def _example(
        self, split: str, image: Mapping[str, Any], person: _Person, context: ConversionContext
    ) -> Any:
        name = image["file_name"]
        example = Pose2DExample(
            image_path=f"coco/{split}/{name}",
            coords=person.joints_px,
            bbox=np.array(person.annotation["bbox"], np.float32),
        )
        mask = mask_of(person.annotation["segmentation"], image["height"], image["width"])
        stem = pathlib.PurePath(name).stem
        crop_path = f"{self.crop_folder}/{split}/{stem}_{person.number:02d}.jpg"
        return context.crop(example, crop_path, _OPTIONS, SourceMask(mask))


def joints_of(keypoints: Sequence[float]) -> np.ndarray:
    """Returns float32 [17, 2] joints in pixels, NaN where unlabelled, from COCO's 51 numbers."""
    table = np.array(keypoints, np.float32).reshape(_NUM_JOINTS, 3)
    return np.where(table[:, 2:] > 0, table[:, :2], np.nan)


def mask_of(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Returns a uint8 [h, w] mask, 0 or 255, from a list of polygons or COCO run lengths.

    Polygons are filled by COCO's own tools, whose rule for pixels at the edge is the reference.

    Raises:
        UserError: a polygon is damaged, or pycocotools is not installed.
    """
    if isinstance(segmentation, dict):
        return decode_mask(segmentation) * np.uint8(255)
    try:
        from pycocotools import mask as coco_masks
    except ImportError as error:
        raise UserError(
            "Filling COCO's polygons needs the package pycocotools. Install the extra: "
            'pip install -e ".[data]"'
        ) from error
    polygons = [_checked_polygon(polygon, max(height, width)) for polygon in segmentation]
    if not polygons:
        return np.zeros((height, width), np.uint8)
    runs = coco_masks.merge(coco_masks.frPyObjects(polygons, height, width))
    return np.asarray(coco_masks.decode(runs) * np.uint8(255))


def _checked_polygon(polygon: Any, image_side_px: int) -> list[float]:
    """Returns the numbers of a polygon; others could crash pycocotools or take all memory."""
    try:
        numbers = np.asarray(polygon, np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    is_polygon = numbers.ndim == 1 and len(numbers) >= 6 and len(numbers) % 2 == 0
    # NaN is not below the limit.
    if not (is_polygon and (np.abs(numbers) < _MAX_POLYGON_IMAGES * image_side_px).all()):
        raise UserError(
            "A COCO annotation has a polygon that is not a list x1, y1, x2, y2, ... of at least "
            f"three points near the image: {str(polygon)[:60]}"
        )
    return numbers.tolist()


def _has_enough_joints(keypoints: Sequence[float]) -> bool:
    visibilities = np.array(keypoints[2::3])
    return bool(
        (visibilities == 2).sum() >= _MIN_VISIBLE and (visibilities > 0).sum() >= _MIN_LABELLED
    )


@functools.lru_cache(maxsize=2)
def _read_split(data_root: pathlib.Path, split: str) -> list[dict[str, Any]]:
    """Returns the images with annotated people of a split, with annotations, by file name."""
    path = data_root / "coco" / "annotations" / f"person_keypoints_{split}.json"
    content = read_json(path)
    with reading(path, "a file of COCO keypoint annotations"):
        images = {
            image["id"]: {key: image[key] for key in ("file_name", "height", "width")}
            for image in content["images"]
        }
        for annotation in content["annotations"]:
            kept = {key: annotation[key] for key in ("keypoints", "bbox", "segmentation")}
            images[annotation["image_id"]].setdefault("annotations", []).append(kept)
    annotated = [image for image in images.values() if "annotations" in image]
    return sorted(annotated, key=lambda image: image["file_name"])
