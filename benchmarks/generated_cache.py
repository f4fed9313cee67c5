"""Generated annotations without images, for measuring cache files of any size."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from metrabs.data.storage.cache import CacheWriter
from metrabs.data.storage.columns import Rows
from metrabs.data.storage.encoding import COMPRESSED_MASK, COUNTS, PARTS, RECORD
from metrabs.files import PathLike
from metrabs.skeletons.merged_sets import member_names
from metrabs.skeletons.tables import format_members, merged_joint_info

_BLOCK_LENGTH = 4096
_MASK_BYTES = 150
_PATH = b"%-24s_downscaled/sequence/camera/%08d.jpg"
_PATH_BYTES = len(_PATH % (b"", 0))


def write_generated_cache(path: PathLike, num_examples: int) -> None:
    """Writes a cache of the 555 joints whose examples belong to the 28 datasets in turn."""
    with CacheWriter(path, "generated", merged_joint_info("huge8")) as writer:
        for rows in generated_rows(num_examples):
            writer.append_rows("train", rows)


def generated_rows(num_examples: int) -> Iterator[Rows]:
    """Yields examples in blocks; within a block all are of one dataset."""
    templates = [_template(name) for name in member_names("huge8")]
    for block, start in enumerate(range(0, num_examples, _BLOCK_LENGTH)):
        rows = templates[block % len(templates)]
        if start + _BLOCK_LENGTH > num_examples:
            rows = rows.take(np.arange(num_examples - start))
        paths = rows.parts["image_path"].reshape(-1, _PATH_BYTES).copy()
        digits = np.arange(start, start + len(rows))[:, np.newaxis] // 10 ** np.arange(8)[::-1]
        paths[:, -12:-4] = ord("0") + digits % 10
        yield dataclasses.replace(rows, parts={**rows.parts, "image_path": paths.reshape(-1)})


def _template(dataset: str) -> Rows:
    """Returns a block of examples of a dataset, whose paths all end in the same number."""
    rng = np.random.default_rng(len(dataset))
    merged = merged_joint_info("huge8")
    joints = np.array([merged.ids[name] for name in format_members(dataset)], np.uint16)
    n = _BLOCK_LENGTH
    records = np.zeros(n, RECORD)
    records["camera_rotation"] = np.eye(3)
    records["camera_intrinsics"] = [[1500, 0, 128], [0, 1500, 128]]
    records["camera_position"] = rng.normal(0, 3000, (n, 3))
    records["camera_up"] = [0, 0, 1]
    records["bbox"] = rng.uniform(50, 100, (n, 4))
    records["has_camera"], records["mask_kind"] = True, COMPRESSED_MASK
    records["mask_size"] = 256
    counts = {"path": _PATH_BYTES, "world": len(joints), "mask": _MASK_BYTES}
    records["counts"] = [counts.get(name, 0) for name in COUNTS]
    contents = {
        "image_path": np.tile(np.frombuffer(_PATH % (dataset.encode(), 0), np.uint8), n),
        "world_joints": np.tile(joints, n),
        "world_coords": rng.normal(0, 500, (n * len(joints), 3)).astype(np.float32),
        "mask": rng.integers(0, 256, n * _MASK_BYTES, dtype=np.uint8),
    }
    parts = {
        name: contents.get(name, np.zeros((0, part.num_dims)[: part.num_dims], part.dtype))
        for name, part in PARTS.items()
    }
    categories = {"dataset": [dataset], "activity_name": ["unknown"], "scene_name": ["unknown"]}
    return Rows(records, parts, categories, merged.num_joints)
