"""Shards of the synthetic datasets: a few dozen images and their annotation file.

A shard is the unit of work and of resumption: its annotation file is written last. A shard without
one is rendered again, from the same random numbers and hence to the same bytes.
"""

from __future__ import annotations

import dataclasses
import pathlib
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np

from metrabs.data.storage.masks import encode_mask
from metrabs.files import atomic_path
from metrabs.geometry.camera import Camera
from metrabs.resumable import fingerprint
from metrabs.skeletons import tables
from metrabs.skeletons.merged_sets import member_names
from metrabs.synthetic.joints import joints_of
from metrabs.synthetic.photo import encode_jpeg
from metrabs.synthetic.scene import PersonCrop, render_person_crop
from metrabs.synthetic.styles import STYLES, find_style

SHARD_SIZE = 32
TEST_SECTION = "test"
# Raise it when the renderer changes, so that old images are not mixed with new ones.
_RENDERER_VERSION = 2
_HELD_OUT_FRACTION = 0.1
_SPLIT_IDS = {"train": 0, "valid": 1, "test": 2}


@dataclasses.dataclass(frozen=True)
class Shard:
    """Some images of one dataset and split.

    Attributes:
        seed: Random seed of the whole suite.
        section: name of the dataset, or TEST_SECTION for the mixture of all styles.
        split: 'train', 'valid' or 'test'.
        start, stop: range of image numbers.
    """

    seed: int
    section: str
    split: str
    start: int
    stop: int

    @property
    def image_paths(self) -> list[str]:
        """Paths of the images, relative to the suite's folder."""
        return [
            f"synthetic/{self.section}/{self.split}_{index:06d}.jpg"
            for index in range(self.start, self.stop)
        ]

    @property
    def annotation_path(self) -> str:
        """Path of the annotation file, relative to the suite's folder."""
        return f"synthetic/{self.section}/{self.split}_{self.start:06d}.npz"


class Annotation(NamedTuple):
    """The annotation of one image.

    Attributes:
        image_path: relative to the suite's folder.
        style: name of its style.
        joints: [555, 3] world mm, or [17, 2] pixels for 2D datasets; NaN where not annotated.
        box_px: [4] left, top, width, height.
        camera: Camera of the image.
        mask: run-length encoded, or None.
        activity: the pose class.
    """

    image_path: str
    style: str
    joints: np.ndarray
    box_px: np.ndarray
    camera: Camera
    mask: Optional[dict[str, Any]]
    activity: str


def plan_shards(seed: int, section: str, split: str, num_images: int) -> list[Shard]:
    """Divides the images of a dataset's split into shards."""
    return [
        Shard(seed, section, split, start, min(start + SHARD_SIZE, num_images))
        for start in range(0, num_images, SHARD_SIZE)
    ]


def is_complete(shard: Shard, root: pathlib.Path) -> bool:
    """Returns whether all files of a shard exist and were made with these settings."""
    path = root / shard.annotation_path
    if not path.exists():
        return False
    with np.load(path) as stored:
        is_same = str(stored["fingerprint"]) == _fingerprint(shard)
    return is_same and all((root / image).exists() for image in shard.image_paths)


def make_shard(shard: Shard, root: pathlib.Path) -> int:
    """Renders the images of a shard and writes them and their annotations.

    Returns:
        The number of images.
    """
    cv2.setNumThreads(1)  # every process uses one core
    rows = []
    for index, image_path in zip(range(shard.start, shard.stop), shard.image_paths):
        rng = np.random.default_rng(
            [shard.seed, zlib.crc32(shard.section.encode()), _SPLIT_IDS[shard.split], index]
        )
        style_name = _style_of(rng, shard)
        style = find_style(style_name)
        crop = render_person_crop(rng, style)
        with atomic_path(root / image_path) as path:
            path.write_bytes(encode_jpeg(rng, crop.image, style.photo))
        rows.append(_annotation_row(crop, style_name))
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0] if name != "mask"}
    masks = [row["mask"] for row in rows]
    with atomic_path(root / shard.annotation_path) as path:
        np.savez(
            path,
            fingerprint=np.array(_fingerprint(shard)),
            **columns,
            mask_sizes=np.array([len(mask) for mask in masks]),
            masks=np.frombuffer(b"".join(masks), np.uint8),
        )
    return len(rows)


def read_annotations(shard: Shard, root: pathlib.Path) -> Iterator[Annotation]:
    """Yields the annotations of a complete shard in the order of its images."""
    with np.load(root / shard.annotation_path) as stored:
        columns = {name: stored[name] for name in stored.files}
    ends = np.cumsum(columns["mask_sizes"])
    masks = columns["masks"].tobytes()
    for i, image_path in enumerate(shard.image_paths):
        coded = masks[ends[i] - columns["mask_sizes"][i] : ends[i]]
        camera = Camera(
            optical_center=columns["camera_position"][i],
            rot_world_to_cam=columns["camera_rotation"][i],
            intrinsic_matrix=columns["intrinsics"][i],
            distortion_coeffs=columns["distortion"][i],
            world_up=(0, 0, 1),
        )
        yield Annotation(
            image_path,
            str(columns["look"][i]),
            columns["joints"][i],
            columns["box_px"][i],
            camera,
            _mask_dict(coded, columns["image_shape"][i]),
            str(columns["activity"][i]),
        )


def _style_of(rng: np.random.Generator, shard: Shard) -> str:
    if shard.section != TEST_SECTION:
        return shard.section
    if rng.random() < _HELD_OUT_FRACTION:
        return "heldout"
    return str(rng.choice(member_names("huge8")))


def _annotation_row(crop: PersonCrop, style_name: str) -> dict[str, Any]:
    camera = crop.camera
    coefficients = camera.distortion_coeffs
    use_mask = STYLES[style_name].has_masks
    return {
        "look": np.array(style_name, "U16"),  # the name in the file format
        "activity": np.array(crop.activity, "U16"),
        "joints": _annotated_joints(crop, style_name),
        "box_px": crop.box_px,
        "camera_position": camera.t,
        "camera_rotation": camera.R,
        "intrinsics": camera.intrinsic_matrix,
        "distortion": np.zeros(5, np.float32) if coefficients is None else coefficients[:5],
        "image_shape": np.array(crop.mask.shape),
        "mask": encode_mask(crop.mask)["zcounts"] if use_mask else b"",
    }


def _annotated_joints(crop: PersonCrop, style_name: str) -> np.ndarray:
    if style_name not in member_names("huge2d_common"):
        return joints_of(crop.person.state).astype(np.float32)
    names = tables.merged_joint_info("huge2d_common").names
    own_names = set(tables.dataset_joint_info(style_name, merged_names=False).names)
    world_mm = joints_of(crop.person.state, [f"{name}_{style_name}" for name in names])
    points = crop.camera.world_to_image(world_mm)
    is_inside = ((points >= 0) & (points < crop.mask.shape[::-1])).all(axis=1)
    is_annotated = is_inside & np.array([name in own_names for name in names])
    return np.where(is_annotated[:, np.newaxis], points, np.nan).astype(np.float32)


def _mask_dict(coded: bytes, shape_hw: np.ndarray) -> Optional[dict[str, Any]]:
    return {"size": [int(side) for side in shape_hw], "zcounts": coded} if coded else None


def _fingerprint(shard: Shard) -> str:
    return fingerprint(_RENDERER_VERSION, dataclasses.astuple(shard))
