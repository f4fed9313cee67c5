"""Known properties of the camera, and reading them from calibration files."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import pickle
import zipfile
from typing import Any, Optional

import cv2
import numpy as np

from metrabs.errors import UserError
from metrabs.estimator.client import BatchCameras
from metrabs.files import PathLike

_INTRINSICS_NAMES = ("intrinsic_matrix", "camera_matrix", "cameraMatrix", "K")
_DISTORTION_NAMES = (
    "distortion_coeffs", "distortion_coefficients", "dist_coeffs", "distCoeffs", "dist",
)  # fmt: skip
_EXTRINSICS_NAMES = ("extrinsic_matrix", "extrinsics")
_MAX_DISTORTION_COEFFS = 12
_FORMATS = (
    "a .json, .npz or OpenCV .yml file with entries intrinsic_matrix, distortion_coeffs, "
    "extrinsic_matrix, or a .npy or .txt file with one matrix"
)


@dataclasses.dataclass(frozen=True)
class CameraChoice:
    """Known properties of the camera of all inputs.

    Attributes:
        intrinsic_matrix: `[3, 3]` in pixels; None: derived from the field of view.
        distortion_coeffs: `[n]`, n <= 12, in OpenCV's order.
        extrinsic_matrix: `[4, 4]` world -> camera, translation in mm; None: poses stay in the
            camera frame.
        fov_degrees: Field of view over the longer image side, where intrinsics are unknown.
        world_up: `[3]`, the upward direction in the world frame.
    """

    intrinsic_matrix: Optional[np.ndarray] = None
    distortion_coeffs: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(5))
    extrinsic_matrix: Optional[np.ndarray] = None
    fov_degrees: float = 55.0
    world_up: tuple[float, float, float] = (0.0, -1.0, 0.0)

    @property
    def frame(self) -> str:
        """Frame of the 3D poses: 'world' or 'camera'."""
        return "camera" if self.extrinsic_matrix is None else "world"

    @property
    def world_to_camera(self) -> np.ndarray:
        """`[4, 4]`, the identity where extrinsics are unknown."""
        return np.eye(4) if self.extrinsic_matrix is None else self.extrinsic_matrix

    def intrinsics_for(self, imshape: tuple[int, ...]) -> np.ndarray:
        """Returns the `[3, 3]` intrinsics that the model uses for images of a size (h, w)."""
        if self.intrinsic_matrix is not None:
            return self.intrinsic_matrix
        height, width = imshape[:2]
        focal = max(height, width) / (2 * np.tan(np.deg2rad(self.fov_degrees) / 2))
        return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])

    def for_model(self) -> BatchCameras:
        """Returns the camera as the model takes it."""
        matrix = self.intrinsic_matrix
        return BatchCameras(
            None if matrix is None else np.asarray(matrix)[np.newaxis],
            np.asarray(self.distortion_coeffs)[np.newaxis],
            np.asarray(self.world_to_camera)[np.newaxis],
            self.world_up,
            self.fov_degrees,
        )

    def to_camera_frame(self, points: np.ndarray) -> np.ndarray:
        """Moves points `[..., 3]` in mm from the frame of the poses into the camera frame."""
        rotation, translation = self.world_to_camera[:3, :3], self.world_to_camera[:3, 3]
        return points @ rotation.T + translation

    @property
    def up_in_camera(self) -> np.ndarray:
        """`[3]`, the upward direction in the camera frame."""
        return self.world_to_camera[:3, :3] @ np.asarray(self.world_up, np.float64)


def read_camera(
    intrinsics: Optional[PathLike] = None,
    extrinsics: Optional[PathLike] = None,
    fov_degrees: float = 55.0,
    world_up: tuple[float, float, float] = (0.0, -1.0, 0.0),
) -> CameraChoice:
    """Reads calibration files.

    Args:
        intrinsics: A .json, .npz or OpenCV .yml/.xml file with an `intrinsic_matrix`, and maybe
            `distortion_coeffs` and `extrinsic_matrix`; or a .npy or .txt file of a 3x3 matrix.
        extrinsics: A file in one of these formats with an `extrinsic_matrix` `[4, 4]` or `[3, 4]`.
        fov_degrees: Field of view over the longer image side, used without intrinsics.
        world_up: `[3]`, the upward direction in the world frame.

    Raises:
        UserError: a file is unreadable or its numbers do not describe a camera.
    """
    if not 0 < fov_degrees < 180:
        raise UserError(
            f"--fov={fov_degrees} is not a field of view; give an angle between 0 and 180 degrees."
        )
    if not np.isfinite(world_up).all() or not np.any(world_up):
        raise UserError(
            f"--world_up must be three finite numbers, not all zero, such as 0,-1,0, not "
            f"{','.join(f'{number:g}' for number in world_up)}."
        )
    matrix, distortion, extrinsic = None, np.zeros(5), None
    if intrinsics:
        fields = _read_fields(intrinsics)
        matrix = _check_intrinsics(_pick(fields, _INTRINSICS_NAMES), intrinsics)
        distortion = _check_distortion(_pick(fields, _DISTORTION_NAMES, plain=False), intrinsics)
        extrinsic = _pick(fields, _EXTRINSICS_NAMES, plain=False)
    source = extrinsics or intrinsics
    if extrinsics:
        extrinsic = _pick(_read_fields(extrinsics), _EXTRINSICS_NAMES)
        if extrinsic is None:
            raise UserError(f"'{extrinsics}' has no extrinsic_matrix; expected {_FORMATS}.")
    if extrinsic is not None:
        extrinsic = _check_extrinsics(extrinsic, source)
    return CameraChoice(matrix, distortion, extrinsic, fov_degrees, world_up)


def _read_fields(path: PathLike) -> dict[str, Any]:
    """Reads named arrays; the name of a single plain array is ''."""
    file = pathlib.Path(path)
    try:
        if file.suffix in (".yml", ".yaml", ".xml"):
            return _read_opencv_file(file)
        if file.suffix == ".json":
            content = json.loads(file.read_text(encoding="utf-8"))
            return content if isinstance(content, dict) else {"": content}
        if file.suffix in (".npy", ".npz"):
            loaded = np.load(file, allow_pickle=False)
            return {"": loaded} if file.suffix == ".npy" else dict(loaded)
        return {"": np.loadtxt(file, delimiter="," if file.suffix == ".csv" else None)}
    except (
        OSError,
        EOFError,
        ValueError,
        cv2.error,
        zipfile.BadZipFile,
        pickle.UnpicklingError,
        SystemError,
    ) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "unreadable"
        raise UserError(f"Cannot read '{file}' ({reason}); expected {_FORMATS}.") from error


def _read_opencv_file(file: pathlib.Path) -> dict[str, Any]:
    if not file.is_file():
        raise OSError("no such file")
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_READ)
    nodes = ((name, storage.getNode(name)) for name in storage.root().keys())
    return {name: node.mat() for name, node in nodes if node.isMap() and node.mat() is not None}


def _pick(fields: dict[str, Any], names: tuple[str, ...], plain: bool = True) -> Any:
    return next(
        (fields[name] for name in (*names, *([""] if plain else [])) if name in fields), None
    )


def _numbers(value: Any, what: str, path: Optional[PathLike]) -> np.ndarray:
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        array = np.full([1], np.nan)
    if not np.isfinite(array).all():
        raise UserError(f"The {what} in '{path}' must be finite numbers.")
    return array


def _check_intrinsics(value: Any, path: PathLike) -> np.ndarray:
    if value is None:
        raise UserError(f"'{path}' has no intrinsic_matrix; expected {_FORMATS}.")
    matrix = _numbers(value, "intrinsic matrix", path)
    if (
        matrix.shape != (3, 3)
        or not np.allclose(matrix[2], [0, 0, 1])
        or min(matrix[0, 0], matrix[1, 1]) <= 0
    ):
        raise UserError(
            f"The intrinsic matrix in '{path}' must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in "
            f"pixels with positive focal lengths, not {matrix.tolist()}."
        )
    return matrix


def _check_distortion(value: Any, path: PathLike) -> np.ndarray:
    coeffs = _numbers([] if value is None else value, "distortion coefficients", path).ravel()
    if len(coeffs) > _MAX_DISTORTION_COEFFS and not coeffs[_MAX_DISTORTION_COEFFS:].any():
        coeffs = coeffs[:_MAX_DISTORTION_COEFFS]
    if len(coeffs) > _MAX_DISTORTION_COEFFS:
        raise UserError(
            f"'{path}' has {len(coeffs)} distortion coefficients; the model supports up to "
            f"{_MAX_DISTORTION_COEFFS} (k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4), no tilted sensors."
        )
    return coeffs if len(coeffs) else np.zeros(5)


def _check_extrinsics(value: Any, path: Optional[PathLike]) -> np.ndarray:
    matrix = _numbers(value, "extrinsic matrix", path)
    if matrix.shape == (3, 4):
        matrix = np.concatenate([matrix, [[0, 0, 0, 1]]])
    is_pose = (
        matrix.shape == (4, 4)
        and np.allclose(matrix[3], [0, 0, 0, 1])
        and np.allclose(matrix[:3, :3] @ matrix[:3, :3].T, np.eye(3), atol=1e-3)
        and np.linalg.det(matrix[:3, :3]) > 0
    )
    if not is_pose:
        raise UserError(
            f"The extrinsic matrix in '{path}' must be [R t; 0 0 0 1], world to camera, with a "
            "rotation R and a translation t in mm."
        )
    return matrix
