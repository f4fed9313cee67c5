"""The encoding of an example: a record of fixed size, and a blob for parts that vary in length.

All parts of an example are stored together, so random access reads two short pieces of the file.
Only the valid joints are stored, as indices and coordinates. `metrabs.data.storage.columns`
processes many records at once, column by column.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from metrabs.data.examples import Example, Pose2DExample, Pose3DExample
from metrabs.data.storage.masks import decode_mask, encode_mask
from metrabs.geometry.camera import Camera

Categories = Mapping[str, Sequence[str]]

CATEGORIES = ("dataset", "activity_name", "scene_name")

NO_MASK, PLAIN_MASK, COMPRESSED_MASK = range(3)

# The parts that vary in length; the field `counts` of the record holds their numbers of entries.
COUNTS = (
    "path",
    "distortion",
    "world",
    "world_residuals",
    "universal",
    "universal_residuals",
    "image",
    "mask",
)

RECORD = np.dtype([
    ("blob_start", "<u8"),  # byte position in the blobs of the split
    ("camera_position", "<f8", (3,)),
    ("camera_rotation", "<f4", (3, 3)),
    ("camera_intrinsics", "<f4", (2, 3)),
    ("camera_up", "<f4", (3,)),
    ("bbox", "<f4", (4,)),
    ("blob_bytes", "<u4"),
    ("counts", "<u4", (len(COUNTS),)),
    ("mask_size", "<u2", (2,)),
    ("dataset", "<u2"), ("activity_name", "<u2"), ("scene_name", "<u2"),  # codes of strings
    ("has_camera", "|u1"),
    ("mask_kind", "|u1"),
])  # fmt: skip


class Part(NamedTuple):
    """A part of the blob.

    Attributes:
        dtype: NumPy type.
        num_dims: numbers per entry.
        entry_bytes: bytes per entry.
        place: Index of its number of entries in the record's `counts`.
    """

    dtype: np.dtype
    num_dims: int
    entry_bytes: int
    place: int


def _part(dtype: str, num_dims: int, count: str) -> Part:
    return Part(
        np.dtype(dtype), num_dims, np.dtype(dtype).itemsize * num_dims, COUNTS.index(count)
    )


# In the order of the blob. Each part begins at a multiple of ALIGNMENT bytes.
ALIGNMENT = 4
PARTS: dict[str, Part] = {
    "image_path": _part("|u1", 1, "path"),
    "camera_distortion": _part("<f4", 1, "distortion"),
    "world_joints": _part("<u2", 1, "world"),
    "world_coords": _part("<f4", 3, "world"),
    "world_residuals": _part("<f4", 3, "world_residuals"),
    "universal_joints": _part("<u2", 1, "universal"),
    "universal_coords": _part("<f4", 3, "universal"),
    "universal_residuals": _part("<f4", 3, "universal_residuals"),
    "image_joints": _part("<u2", 1, "image"),
    "image_coords": _part("<f4", 2, "image"),
    "mask": _part("|u1", 1, "mask"),
}

# Float64 coordinates keep a second float32 part with what the first one rounds away, if that is
# more than this. It happens where people are kilometres away from the origin of the world.
_TOLERATED_ROUNDING_MM = 0.01
_LAST_ROW = np.array([[0, 0, 1]], np.float32)


def padded_size(num_bytes: Any) -> Any:
    """Returns the padded size of a part (or of an array of parts) with that many bytes."""
    return (num_bytes + (ALIGNMENT - 1)) // ALIGNMENT * ALIGNMENT


def encode_example(
    example: Example, category_code: Callable[[str, str], int]
) -> tuple[np.ndarray, bytes]:
    """Returns the record (without `blob_start`) and the blob of an example.

    Args:
        example: a 3D or 2D example without an in-memory image.
        category_code: function of (field, text) that numbers the strings of a category.
    """
    record = np.zeros((), RECORD)
    parts: dict[str, np.ndarray] = {}
    _encode_path(example.image_path, parts)
    record["bbox"] = example.bbox
    record["dataset"] = category_code("dataset", example.dataset)
    if isinstance(example, Pose3DExample):
        record["activity_name"] = category_code("activity_name", example.activity_name)
        record["scene_name"] = category_code("scene_name", example.scene_name)
        _encode_coords("world", example.world_coords, parts)
        if example.univ_coords is not None:
            _encode_coords("universal", example.univ_coords, parts)
    else:
        _encode_coords("image", example.coords, parts)
    if example.camera is not None:
        _encode_camera(example.camera, record, parts)
    if example.mask is not None:
        _encode_mask(example.mask, record, parts)
    for name, values in parts.items():
        record["counts"][PARTS[name].place] = len(values)
    blob = b"".join(_padded(parts[name].tobytes()) for name in PARTS if name in parts)
    record["blob_bytes"] = len(blob)
    return record, blob


def decode_example(
    record: Any, blob: bytes, num_joints: int, is_3d: bool, categories: Categories
) -> Example:
    """Builds an example from its record and blob; the inverse of `encode_example`.

    Args:
        record: one element of an array of type RECORD.
        blob: its blob.
        num_joints: J of the dataset.
        is_3d: Whether it is a `Pose3DExample`.
        categories: Strings of the fields CATEGORIES by code.
    """
    parts = _decode_parts(record, blob)
    common: dict[str, Any] = {
        "image_path": parts["image_path"].tobytes().decode("utf-8"),
        "bbox": record["bbox"].copy(),
        "dataset": categories["dataset"][record["dataset"]],
        "mask": _decode_mask(record, parts),
        "camera": _decode_camera(record, parts) if record["has_camera"] else None,
    }
    if not is_3d:
        return Pose2DExample(coords=_decode_coords("image", parts, num_joints), **common)
    has_universal = "universal_joints" in parts
    return Pose3DExample(
        world_coords=_decode_coords("world", parts, num_joints),
        univ_coords=_decode_coords("universal", parts, num_joints) if has_universal else None,
        activity_name=categories["activity_name"][record["activity_name"]],
        scene_name=categories["scene_name"][record["scene_name"]],
        **common,
    )


def _decode_parts(record: Any, blob: bytes) -> dict[str, np.ndarray]:
    """Returns the parts that are not empty."""
    parts = {}
    start = 0
    counts = record["counts"].tolist()
    for name, (dtype, num_dims, entry_bytes, place) in PARTS.items():
        if count := counts[place]:
            values = np.frombuffer(blob, dtype, count * num_dims, start)
            parts[name] = values.reshape(count, num_dims) if num_dims > 1 else values
            start += padded_size(count * entry_bytes)
    return parts


def _padded(data: bytes) -> bytes:
    return data.ljust(padded_size(len(data)), b"\0")


def _encode_path(image_path: str, parts: dict[str, np.ndarray]) -> None:
    parts["image_path"] = np.frombuffer(image_path.encode("utf-8"), np.uint8)


def _encode_coords(kind: str, coords: np.ndarray, parts: dict[str, np.ndarray]) -> None:
    coords = np.asarray(coords)
    joints = np.flatnonzero(~np.isnan(coords).any(axis=1))
    valid = coords[joints]
    rounded = valid.astype(np.float32)
    parts[f"{kind}_joints"] = joints.astype(np.uint16)
    parts[f"{kind}_coords"] = rounded
    if coords.dtype == np.float64 and kind != "image" and len(valid):
        residuals = (valid - rounded).astype(np.float32)
        if np.abs(residuals).max() > _TOLERATED_ROUNDING_MM:
            parts[f"{kind}_residuals"] = residuals


def _decode_coords(kind: str, parts: dict[str, np.ndarray], num_joints: int) -> np.ndarray:
    num_dims = PARTS[f"{kind}_coords"].num_dims
    if f"{kind}_joints" not in parts:
        return np.full((num_joints, num_dims), np.nan, np.float32)
    valid = parts[f"{kind}_coords"]
    if f"{kind}_residuals" in parts:
        valid = valid.astype(np.float64) + parts[f"{kind}_residuals"]
    coords = np.full((num_joints, num_dims), np.nan, valid.dtype)
    coords[parts[f"{kind}_joints"]] = valid
    return coords


def _encode_camera(camera: Camera, record: np.ndarray, parts: dict[str, np.ndarray]) -> None:
    record["has_camera"] = True
    record["camera_rotation"] = camera.R
    record["camera_position"] = camera.t
    record["camera_intrinsics"] = camera.intrinsic_matrix[:2]
    record["camera_up"] = camera.world_up
    if camera.distortion_coeffs is not None:
        parts["camera_distortion"] = np.asarray(camera.distortion_coeffs, np.float32)


def _decode_camera(record: Any, parts: dict[str, np.ndarray]) -> Camera:
    camera = Camera.__new__(Camera)  # it was checked when it was made; this is read far more often
    camera.R = record["camera_rotation"].copy()
    camera.t = record["camera_position"].astype(np.float32)
    camera.intrinsic_matrix = np.concatenate([record["camera_intrinsics"], _LAST_ROW])
    distortion = parts.get("camera_distortion")
    camera.distortion_coeffs = None if distortion is None else distortion.copy()
    camera.world_up = record["camera_up"].copy()
    if np.abs(record["camera_position"] - camera.t).max() > _TOLERATED_ROUNDING_MM:
        camera.t = record["camera_position"].copy()
    return camera


def _encode_mask(
    mask: Mapping[str, Any], record: np.ndarray, parts: dict[str, np.ndarray]
) -> None:
    if isinstance(mask.get("counts"), (list, np.ndarray)):  # lengths of runs, not yet encoded
        mask = encode_mask(decode_mask(mask))
    is_compressed = "zcounts" in mask
    counts = mask["zcounts" if is_compressed else "counts"]
    counts = counts.encode("ascii") if isinstance(counts, str) else counts
    record["mask_kind"] = COMPRESSED_MASK if is_compressed else PLAIN_MASK
    record["mask_size"] = mask["size"]
    parts["mask"] = np.frombuffer(counts, np.uint8)


def _decode_mask(record: Any, parts: dict[str, np.ndarray]) -> Optional[dict[str, Any]]:
    if record["mask_kind"] == NO_MASK:
        return None
    key = "zcounts" if record["mask_kind"] == COMPRESSED_MASK else "counts"
    return {"size": record["mask_size"].tolist(), key: parts["mask"].tobytes()}
