"""One line of a manifest: its fields checked and made into an example."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, Optional

import cv2
import numpy as np

from metrabs.data.examples import SPLITS, Pose3DExample
from metrabs.data.storage.images import ImageError, read_image
from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError
from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo

_FIELDS = ("image", "camera", "joints3d", "box", "split", "mask")
_CAMERA_FIELDS = ("intrinsics", "rotation", "position", "distortion", "world_up")
_BOX_MARGIN = 1.15  # of a box made from joints, which end before hands, feet and hair do
# A person's joints span something in between; otherwise the unit is wrong.
_SMALLEST_SPAN_MM, _LARGEST_SPAN_MM = 100, 5000
_MIN_JOINTS_FOR_SPAN = 4
_MAX_DESCRIPTION = 80  # characters of a value in a message


class FieldError(Exception):
    """A field of a manifest cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


def joint_name(name: str) -> str:
    """Returns the name of a joint as skeletons have it: 'left_hip' is 'lhip'."""
    for side in ("left_", "right_"):
        if name.startswith(side) and len(name) > len(side):
            return side[0] + name[len(side) :]
    return name


class ExampleReader:
    """Makes examples from the fields of a manifest's lines.

    Args:
        folder: Folder that the manifest's paths are relative to.
        data_root: Folder that the examples' paths will be relative to.
        joint_info: Joints of the examples.
        cameras: Descriptions of the cameras that lines refer to by name.
        mm_per_unit: Unit of length in mm, 1000 for metres.
        dataset: Name of the dataset that the examples store.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        data_root: pathlib.Path,
        joint_info: JointInfo,
        cameras: Mapping[str, Any],
        mm_per_unit: float,
        dataset: str,
    ) -> None:
        self._folder = folder
        self._data_root = data_root
        self._joint_info = joint_info
        self._cameras = cameras
        self._mm_per_unit = mm_per_unit
        self._dataset = dataset

    def read(self, fields: Mapping[str, Any]) -> tuple[str, Pose3DExample]:
        """Returns the split of an example, and the example.

        Args:
            fields: image (path), camera (name or description), joints3d, and maybe box, split
                and mask (path).

        Raises:
            FieldError: a field is missing or cannot be used.
        """
        for name in fields:
            if name not in _FIELDS:
                raise FieldError(name, f"is unknown; known are {', '.join(_FIELDS)}")
        for name in _FIELDS[:3]:
            if name not in fields:
                raise FieldError(name, "is missing")
        split = fields.get("split", "train")
        if not isinstance(split, str) or split not in SPLITS:
            raise FieldError("split", f"must be one of {', '.join(SPLITS)}, not {split!r}")
        path = self._path(fields, "image")
        try:
            imshape = read_image(str(path)).shape
        except ImageError as error:
            raise FieldError("image", str(error).rstrip(".")) from error
        camera = self._camera(fields["camera"])
        joints_mm = self._joints(fields["joints3d"])
        points = _checked_projection(joints_mm, camera, imshape, self._joint_info)
        return split, Pose3DExample(
            image_path=self._stored_path(path),
            world_coords=joints_mm,
            bbox=_checked_box(fields.get("box"), points, imshape),
            camera=camera,
            dataset=self._dataset,
            mask=self._mask(fields, imshape),
        )

    def _path(self, fields: Mapping[str, Any], field: str) -> pathlib.Path:
        if not isinstance(fields[field], str) or not fields[field] or "\0" in fields[field]:
            raise FieldError(field, f"must be a path, not {fields[field]!r}")
        return (self._folder / fields[field]).absolute()

    def _stored_path(self, path: pathlib.Path) -> str:
        root = self._data_root.absolute()
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

    def _camera(self, given: Any) -> Camera:
        if isinstance(given, str):
            if given not in self._cameras:
                known = ", ".join(sorted(self._cameras)) or "none"
                raise FieldError("camera", f"'{given}' is not described; described are: {known}")
            given = self._cameras[given]
        if not isinstance(given, dict) or "intrinsics" not in given:
            raise FieldError(
                "camera",
                "must be the name of a camera or an object that has "
                f"'intrinsics' and maybe {', '.join(_CAMERA_FIELDS[1:])}",
            )
        for name in given:
            if name not in _CAMERA_FIELDS:
                raise FieldError(
                    "camera",
                    f"has the unknown entry '{name}'; known are {', '.join(_CAMERA_FIELDS)}",
                )
        # Without a rotation, the world is the camera's own frame, whose y axis points down.
        default_up = (0, 0, 1) if "rotation" in given else (0, -1, 0)
        rotation = _numbers("camera", given.get("rotation", np.eye(3)), (3, 3), "'rotation' ")
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
            raise FieldError("camera", "'rotation' is not a rotation matrix")
        position = _numbers("camera", given.get("position", (0, 0, 0)), (3,), "'position' ")
        try:
            return Camera(
                optical_center=position * self._mm_per_unit,
                rot_world_to_cam=rotation,
                intrinsic_matrix=_numbers("camera", given["intrinsics"], (3, 3), "'intrinsics' "),
                distortion_coeffs=given.get("distortion"),
                world_up=_numbers(
                    "camera", given.get("world_up", default_up), (3,), "'world_up' "
                ),
            )
        except (UserError, TypeError, ValueError) as error:
            raise FieldError("camera", str(error).rstrip(".")) from error

    def _joints(self, given: Any) -> np.ndarray:
        names = self._joint_info.names
        if isinstance(given, list) and len(given) == len(names):
            given = {name: point for name, point in zip(names, given) if point is not None}
        if not isinstance(given, dict):
            raise FieldError(
                "joints3d",
                "must be an object {name: [x, y, z], ...} or a list of "
                f"{len(names)} points, null where unknown",
            )
        joints = np.full((len(names), 3), np.nan, np.float64)
        for given_name, point in given.items():
            name = joint_name(given_name)
            if _is_unknown(point):
                continue
            if name not in self._joint_info.ids:
                raise FieldError("joints3d", f"has the unknown joint '{given_name}'")
            joints[self._joint_info.ids[name]] = _numbers("joints3d", point, (3,), f"'{name}' ")
        is_known = ~np.isnan(joints).any(axis=1)
        if not is_known.any():
            raise FieldError("joints3d", "has no joint at all")
        joints *= self._mm_per_unit
        span = np.linalg.norm(np.ptp(joints[is_known], axis=0))
        if is_known.sum() >= _MIN_JOINTS_FOR_SPAN and not (
            _SMALLEST_SPAN_MM <= span <= _LARGEST_SPAN_MM
        ):
            raise FieldError(
                "joints3d",
                f"spans {span:.4g} mm, which no person does; state the unit (mm, cm or m)",
            )
        # Float32 holds tenths of millimetres up to kilometres from the origin.
        return joints.astype(np.float32) if np.nanmax(np.abs(joints)) < 1e6 else joints

    def _mask(
        self, fields: Mapping[str, Any], imshape: tuple[int, ...]
    ) -> Optional[dict[str, Any]]:
        if "mask" not in fields:
            return None
        path = self._path(fields, "mask")
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) if path.exists() else None
        if mask is None:
            raise FieldError("mask", f"'{path}' is not there or not an image")
        if mask.shape != imshape[:2]:
            raise FieldError(
                "mask",
                f"is {mask.shape[1]} x {mask.shape[0]} pixels, the image "
                f"{imshape[1]} x {imshape[0]}",
            )
        return encode_mask(mask)


def _checked_projection(
    joints_mm: np.ndarray, camera: Camera, imshape: tuple[int, ...], joint_info: JointInfo
) -> np.ndarray:
    """Returns the image points of the known joints, some of which must be in the image."""
    depths = camera.world_to_camera(joints_mm)[:, 2]
    behind = np.flatnonzero(depths <= 0)
    if len(behind):
        raise FieldError(
            "joints3d",
            f"'{joint_info.names[behind[0]]}' is behind the camera; "
            "check the camera's rotation and position",
        )
    points = camera.world_to_image(joints_mm[~np.isnan(depths)])
    if not boxes.contains(boxes.full(imshape[1::-1]), points).any():
        raise FieldError("joints3d", "no joint is inside the image; check the camera")
    return points


def _checked_box(given: Any, points: np.ndarray, imshape: tuple[int, ...]) -> np.ndarray:
    frame = boxes.full(imshape[1::-1])
    if given is None:
        return boxes.intersection(boxes.expand(boxes.bounding_box(points), _BOX_MARGIN), frame)
    box = _numbers("box", given, (4,), "").astype(np.float32)
    if (box[2:] <= 0).any():
        raise FieldError("box", "must be [left, top, width, height] with a size above 0")
    if boxes.area(boxes.intersection(box, frame)) == 0:
        raise FieldError("box", f"is outside the image of {imshape[1]} x {imshape[0]} pixels")
    if not boxes.contains(box, points).any():
        raise FieldError("box", "holds no joint; it must be [left, top, width, height]")
    return box


def _is_unknown(point: Any) -> bool:
    """Returns whether a point says that a joint is unknown: null, or three of null and NaN."""
    return (
        point is None
        or isinstance(point, list)
        and len(point) == 3
        and all(value is None or isinstance(value, float) and np.isnan(value) for value in point)
    )


def _numbers(field: str, given: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        numbers = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        numbers = np.zeros(0)
    if numbers.shape != shape or not np.isfinite(numbers).all():
        size = " x ".join(map(str, shape))
        raise FieldError(field, f"{what}must be {size} numbers, not {_shortened(given)}")
    return numbers


def _shortened(given: Any) -> str:
    try:
        described = repr(given)
    except (ValueError, RecursionError):  # integers of thousands of digits; deep lists
        described = "this"
    is_long = len(described) > _MAX_DESCRIPTION
    return described[:_MAX_DESCRIPTION] + "..." if is_long else described
