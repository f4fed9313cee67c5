"""CameraModel: a calibrated pinhole camera with lens distortion, and how it maps points.

Axes of the camera frame: x right, y down, z forward. Lengths in mm, image points in pixels; an
integer coordinate is the centre of a pixel. Points are row vectors.
"""

from __future__ import annotations

from typing import Any, Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.geometry import distortion

_LAST_ROW = np.array((0, 0, 1))


class CameraModel:
    """A camera in the world: what it is and how it maps points.

    Every point method takes any leading shape `[..., 2 or 3]` and returns float32.

    Args:
        optical_center: [3] position in the world, mm (default: the origin).
        rot_world_to_cam: [3, 3] rotation; determinant -1 describes a mirrored view.
        intrinsic_matrix: [3, 3] with last row (0, 0, 1), pixels.
        distortion_coeffs: lens coefficients as in `metrabs.geometry.distortion`; zeros mean None.
        world_up: [3] vector that points up in the world.
        extrinsic_matrix: [3 or 4, 4] world-to-camera transform, in place of rotation and centre.
        trans_after_rot: [3] translation after the rotation, in place of the centre.
        dtype: of the stored arrays.

    Attributes:
        R: [3, 3] world-to-camera rotation.
        t: [3] optical centre in WORLD coordinates, mm.
        intrinsic_matrix, distortion_coeffs, world_up: as above.
    """

    def __init__(
        self,
        optical_center: Any = None,
        rot_world_to_cam: Any = None,
        intrinsic_matrix: Any = None,
        distortion_coeffs: Any = None,
        world_up: Any = (0, 0, 1),
        extrinsic_matrix: Any = None,
        trans_after_rot: Any = None,
        dtype: Any = np.float32,
    ) -> None:
        if extrinsic_matrix is not None and (
            optical_center is not None or rot_world_to_cam is not None
        ):
            raise UserError(
                "Give a camera either extrinsic_matrix or optical_center and rot_world_to_cam."
            )
        if optical_center is not None and trans_after_rot is not None:
            raise UserError("Give a camera either optical_center or trans_after_rot, not both.")
        if extrinsic_matrix is not None:
            extrinsics = np.asarray(extrinsic_matrix, np.float64)
            rot_world_to_cam, trans_after_rot = extrinsics[:3, :3], extrinsics[:3, 3]
        self.R = np.array(np.eye(3) if rot_world_to_cam is None else rot_world_to_cam, dtype)
        if trans_after_rot is not None:
            rotation = np.asarray(rot_world_to_cam if rot_world_to_cam is not None else np.eye(3))
            optical_center = -np.asarray(trans_after_rot, np.float64) @ rotation
        self.t = np.array((0, 0, 0) if optical_center is None else optical_center, dtype)
        self.intrinsic_matrix = np.array(
            np.eye(3) if intrinsic_matrix is None else intrinsic_matrix, dtype
        )
        self.distortion_coeffs: Optional[np.ndarray] = distortion.checked_coefficients(
            distortion_coeffs
        )
        self.world_up = np.array(world_up, dtype)
        self._check()

    def allclose(self, other: CameraModel) -> bool:
        """Returns whether both cameras map points alike, up to rounding."""
        return (
            distortion.is_close(self.intrinsic_matrix, other.intrinsic_matrix)
            and distortion.is_close(self.R, other.R)
            and distortion.is_close(self.t, other.t)
            and self.has_same_distortion(other)
        )

    def has_same_distortion(self, other: CameraModel) -> bool:
        """Returns whether both lenses distort alike, up to rounding."""
        return distortion.is_same(self.distortion_coeffs, other.distortion_coeffs)

    def world_to_camera(self, points: Any) -> np.ndarray:
        """Maps world points [..., 3] to the camera frame."""
        return _float32(_float32(points) - self.t) @ _float32(self.R.T)

    def camera_to_world(self, points: Any) -> np.ndarray:
        """Maps camera-frame points [..., 3] to the world."""
        return _float32(points) @ _float32(self.R) + _float32(self.t)

    def camera_to_image(self, points: Any) -> np.ndarray:
        """Projects camera-frame points [..., 3]; points behind the camera are not treated."""
        points = _float32(points)
        with np.errstate(divide="ignore", invalid="ignore"):
            normalized = points[..., :2] / points[..., 2:]
        return self.normalized_to_image(normalized)

    def normalized_to_image(self, points: np.ndarray) -> np.ndarray:
        """Maps points [..., 2] on the ideal plane at unit depth through lens and intrinsics."""
        if self.distortion_coeffs is not None:
            flat = distortion.distort(points.reshape(-1, 2), self.distortion_coeffs)
            points = flat.reshape(points.shape)
        matrix = self.intrinsic_matrix
        return _float32(points @ matrix[:2, :2].T + matrix[:2, 2])

    def world_to_image(self, points: Any) -> np.ndarray:
        """Projects world points [..., 3] to pixels."""
        return self.camera_to_image(self.world_to_camera(points))

    def image_to_camera(self, points_px: Any, depth: Any = 1) -> np.ndarray:
        """Back-projects image points [..., 2] to the camera frame.

        Args:
            points_px: pixels.
            depth: z coordinate of the results (not their distance), a number or [...].
        """
        rays = _float32(self.rays(_float32(points_px)))
        return rays * np.asarray(depth, np.float32)[..., np.newaxis]

    def image_to_world(self, points_px: Any, camera_depth: Any = 1) -> np.ndarray:
        """Back-projects image points [..., 2] to the world at the given z depth, mm."""
        return self.camera_to_world(self.image_to_camera(points_px, camera_depth))

    def is_visible(self, world_points: Any, imsize_wh: tuple[int, int]) -> np.ndarray:
        """Returns which world points [..., 3] are before the camera and inside the image.

        Args:
            world_points: mm.
            imsize_wh: (width, height); visible means 0 <= coordinate < size.
        """
        points = self.world_to_camera(world_points)
        image_points = self.camera_to_image(points)
        is_inside = np.all((image_points >= 0) & (image_points < np.asarray(imsize_wh)), axis=-1)
        return is_inside & (points[..., 2] > 0)

    def get_extrinsic_matrix(self) -> np.ndarray:
        """Returns the [4, 4] world-to-camera transform."""
        matrix = np.eye(4, dtype=self.R.dtype)
        matrix[:3, :3] = self.R
        matrix[:3, 3] = -self.R @ self.t
        return matrix

    def get_projection_matrix(self) -> np.ndarray:
        """Returns the [3, 4] projection matrix; it knows nothing of the lens."""
        return self.intrinsic_matrix @ self.get_extrinsic_matrix()[:3]

    def get_fov(self, imshape: tuple[int, ...]) -> float:
        """Returns the larger field of view in degrees; assumes square pixels (as released).

        Args:
            imshape: (height, width, ...).
        """
        focals = np.array([self.intrinsic_matrix[0, 0], self.intrinsic_matrix[1, 1]], np.float64)
        return float(np.rad2deg(2 * np.arctan(np.max(np.asarray(imshape[:2]) / (2 * focals)))))

    def rays(self, points_px: np.ndarray) -> np.ndarray:
        """Back-projects image points [..., 2] to z = 1, [..., 3], in the points' precision."""
        matrix = self.intrinsic_matrix.astype(points_px.dtype)
        # Deviation: the release forgets the transpose, and OpenCV the skew of distorted cameras.
        plane = (points_px - matrix[:2, 2]) @ np.linalg.inv(matrix[:2, :2]).T
        if self.distortion_coeffs is not None:
            plane = distortion.undistort(plane.reshape(-1, 2), self.distortion_coeffs).reshape(
                plane.shape
            )
        return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)

    def _check(self) -> None:
        shapes = (self.R.shape, self.t.shape, self.intrinsic_matrix.shape, self.world_up.shape)
        if shapes != ((3, 3), (3,), (3, 3), (3,)):
            raise UserError(
                "A camera needs a 3x3 rotation, a centre of 3, a 3x3 intrinsic matrix and an up "
                f"vector of 3 numbers; got shapes {shapes}."
            )
        if not distortion.is_close(self.intrinsic_matrix[2], _LAST_ROW):
            raise UserError(
                "The last row of an intrinsic matrix must be (0, 0, 1), "
                f"got {self.intrinsic_matrix[2].tolist()}."
            )


def _float32(array: Any) -> np.ndarray:
    return np.asarray(array, np.float32)
