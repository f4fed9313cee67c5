"""Camera: a calibrated pinhole camera with lens distortion, and the operations that make crops.

Axes of the camera frame: x right, y down, z forward. Lengths in mm, image points in pixels; an
integer coordinate is the centre of a pixel. Points are row vectors. Numbers agree with the
original implementation, except where a comment says otherwise.
"""

from __future__ import annotations

from typing import Any, Optional

import cv2
import numpy as np

from metrabs.errors import UserError
from metrabs.geometry import distortion

_LAST_ROW = np.array((0, 0, 1))


class Camera:
    """A calibrated camera in the world.

    Methods that map points take any leading shape `[..., 2 or 3]` and return float32. Methods
    that change the camera work in place and return it; with `inplace=False` they change and
    return a copy.

    Args:
        optical_center: Position in the world [3], mm (default: the origin).
        rot_world_to_cam: Rotation [3, 3]; determinant -1 describes a mirrored view.
        intrinsic_matrix: [3, 3] with last row (0, 0, 1), pixels.
        distortion_coeffs: Lens coefficients as in `metrabs.geometry.distortion`; zeros mean None.
        world_up: Vector [3] that points up in the world.
        extrinsic_matrix: World-to-camera transform [3 or 4, 4], instead of rotation and centre.
        trans_after_rot: Translation [3] after the rotation, instead of the centre.
        dtype: Type of the stored arrays.

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
        self.distortion_coeffs: Optional[np.ndarray] = distortion.validate_coefficients(
            distortion_coeffs
        )
        self.world_up = np.array(world_up, dtype)
        self._check()

    @staticmethod
    def from_fov(
        fov_degrees: float, imshape: tuple[int, ...], world_up: Any = (0, -1, 0)
    ) -> Camera:
        """Returns a camera at the origin whose larger image side spans the given angle.

        Args:
            fov_degrees: Full field of view along the larger image side.
            imshape: Image shape (height, width, ...), pixels.
            world_up: Vector [3] that points up.
        """
        height, width = imshape[:2]
        focal = max(height, width) / (2 * np.tan(np.deg2rad(fov_degrees) / 2))
        intrinsics = [[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]]
        return Camera(intrinsic_matrix=intrinsics, world_up=world_up)

    @staticmethod
    def create2D(imshape: tuple[int, ...] = (0, 0)) -> Camera:
        """Returns a camera for warping images without calibration: unit focal length."""
        height, width = imshape[:2]
        return Camera(
            intrinsic_matrix=[[1, 0, (width - 1) / 2], [0, 1, (height - 1) / 2], [0, 0, 1]]
        )

    def copy(self) -> Camera:
        """Returns an independent copy."""
        camera = Camera.__new__(Camera)
        for name, array in vars(self).items():
            setattr(camera, name, None if array is None else array.copy())
        return camera

    def allclose(self, other: Camera) -> bool:
        """Returns whether both cameras map points equally, up to rounding."""
        return (
            distortion.is_close(self.intrinsic_matrix, other.intrinsic_matrix)
            and distortion.is_close(self.R, other.R)
            and distortion.is_close(self.t, other.t)
            and self.has_same_distortion(other)
        )

    def has_same_distortion(self, other: Camera) -> bool:
        """Returns whether both lenses distort equally, up to rounding."""
        return distortion.lenses_equal(self.distortion_coeffs, other.distortion_coeffs)

    def world_to_camera(self, points: Any) -> np.ndarray:
        """Maps world points [..., 3] to the camera frame."""
        return _float32(_float32(points) - self.t) @ _float32(self.R.T)

    def camera_to_world(self, points: Any) -> np.ndarray:
        """Maps camera-frame points [..., 3] to the world."""
        return _float32(points) @ _float32(self.R) + _float32(self.t)

    def camera_to_image(self, points: Any) -> np.ndarray:
        """Projects camera-frame points [..., 3], even those behind the camera."""
        points = _float32(points)
        with np.errstate(divide="ignore", invalid="ignore"):
            normalized = points[..., :2] / points[..., 2:]
        return self.normalized_to_image(normalized)

    def normalized_to_image(self, points: np.ndarray) -> np.ndarray:
        """Maps undistorted normalized image coordinates [..., 2] to pixels."""
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
            points_px: Pixels.
            depth: The z coordinate of the results (not their distance), a number or [...].
        """
        rays = _float32(self.rays(_float32(points_px)))
        return rays * np.asarray(depth, np.float32)[..., np.newaxis]

    def image_to_world(self, points_px: Any, camera_depth: Any = 1) -> np.ndarray:
        """Back-projects image points [..., 2] to the world at the given z depth, mm."""
        return self.camera_to_world(self.image_to_camera(points_px, camera_depth))

    def is_visible(self, world_points: Any, imsize_wh: tuple[int, int]) -> np.ndarray:
        """Returns which world points [..., 3] are in front of the camera and inside the image.

        Args:
            world_points: Points in mm.
            imsize_wh: Image size (width, height); visible means 0 <= coordinate < size.
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

    def get_fov(self, imshape: tuple[int, ...]) -> float:
        """Returns the larger field of view in degrees, for square pixels (golden tests only)."""
        focals = np.array([self.intrinsic_matrix[0, 0], self.intrinsic_matrix[1, 1]], np.float64)
        return float(np.rad2deg(2 * np.arctan(np.max(np.asarray(imshape[:2]) / (2 * focals)))))

    def rays(self, points_px: np.ndarray) -> np.ndarray:
        """Back-projects image points [..., 2] to z = 1, [..., 3], in the points' precision."""
        matrix = self.intrinsic_matrix.astype(points_px.dtype)
        # Deviation: the original implementation omits the transpose, and OpenCV the skew of
        # distorted cameras.
        plane = (points_px - matrix[:2, 2]) @ np.linalg.inv(matrix[:2, :2]).T
        if self.distortion_coeffs is not None:
            plane = distortion.undistort(plane.reshape(-1, 2), self.distortion_coeffs).reshape(
                plane.shape
            )
        return np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)

    def turn_towards(
        self,
        target_image_point: Any = None,
        target_world_point: Any = None,
        target_cam_point: Any = None,
        *,
        inplace: bool = True,
    ) -> Camera:
        """Turns the camera so that it looks at a point and stands upright.

        Roll and mirroring are removed. Exactly one target must be given: an image point [2] in
        pixels, or a world point [3] or camera-frame point [3] in mm.
        """
        camera = self._target(inplace)
        rotation = self.R.astype(np.float64)
        # Deviation: the original implementation computes a world point 1 mm in front of the
        # camera in float32, which is off by up to 1e-4 rad when the camera is metres away from
        # the origin. Only the direction matters, so it is computed in float64 and without t.
        if target_image_point is not None:
            forward = self.rays(np.asarray(target_image_point, np.float64)) @ rotation
        elif target_world_point is not None:
            forward = np.asarray(target_world_point, np.float64) - self.t
        elif target_cam_point is not None:
            forward = np.asarray(target_cam_point, np.float64) @ rotation
        else:
            raise UserError("turn_towards needs a target: an image, world or camera point.")
        forward = _unit(forward)
        right = _cross(forward, self.world_up)
        if np.linalg.norm(right) < 1e-6:
            # Deviation: NaN in the original implementation; here x keeps its direction.
            right = rotation[0] - (rotation[0] @ forward) * forward
        right = _unit(right)
        camera.R = np.stack([right, _cross(forward, right), forward]).astype(self.R.dtype)
        return camera

    def rotate(
        self, yaw: float = 0, pitch: float = 0, roll: float = 0, *, inplace: bool = True
    ) -> Camera:
        """Rotates the camera by angles in radians about its y, then x, then z axis.

        A positive roll turns the camera clockwise and the image content counterclockwise.
        """
        camera = self._target(inplace)
        about_axes = [_rotation(axis, angle) for axis, angle in zip("yxz", (yaw, pitch, roll))]
        turn = about_axes[0] @ about_axes[1] @ about_axes[2]
        camera.R = (turn.T @ self.R).astype(self.R.dtype)
        return camera

    def reset_roll(self, *, inplace: bool = True) -> Camera:
        """Makes the image's x axis horizontal and keeps the viewing direction (golden tests)."""
        return self.turn_towards(target_cam_point=(0, 0, 1), inplace=inplace)

    def orbit_around(
        self, world_point: Any, angle: float, axis: str = "vertical", *, inplace: bool = True
    ) -> Camera:
        """Moves the camera on a circle around a world point, whose view stays the same.

        Used by golden tests and tests of the renderer only.

        Args:
            world_point: Centre of the circle [3], mm.
            angle: Radians.
            axis: 'vertical' (the world's up) or 'horizontal' (across the viewing direction).
        """
        if axis not in ("vertical", "horizontal"):
            raise UserError(f"Unknown orbit axis '{axis}'. Known: horizontal, vertical.")
        camera = self._target(inplace)
        direction = self.world_up.astype(np.float64)
        if axis == "horizontal":
            direction = _cross(self.R[2], direction)
        turn = cv2.Rodrigues(_unit(direction) * angle)[0]
        center = np.asarray(world_point, np.float64)
        camera.t = (turn @ (self.t - center) + center).astype(self.t.dtype)
        camera.R = (self.R @ turn.T).astype(self.R.dtype)
        return camera

    def horizontal_flip(self, *, inplace: bool = True) -> Camera:
        """Mirrors the view about the vertical plane through the optical axis."""
        camera = self._target(inplace)
        camera.R[0] *= -1
        return camera

    def zoom(self, factor: Any, *, inplace: bool = True) -> Camera:
        """Scales the focal length by a number or by [2] (x, y); the principal point stays."""
        camera = self._target(inplace)
        camera.intrinsic_matrix[:2, :2] *= _per_row(factor)
        return camera

    def scale_output(self, factor: Any, *, inplace: bool = True) -> Camera:
        """Scales the image about the coordinate origin by a number or by [2] (x, y)."""
        camera = self._target(inplace)
        camera.intrinsic_matrix[:2] *= _per_row(factor)
        return camera

    def shift_image(self, offset_px: Any, *, inplace: bool = True) -> Camera:
        """Moves the image content by +offset, [2] pixels."""
        camera = self._target(inplace)
        camera.intrinsic_matrix[:2, 2] += np.asarray(offset_px, camera.intrinsic_matrix.dtype)
        return camera

    def shift_to_desired(self, current_px: Any, target_px: Any, *, inplace: bool = True) -> Camera:
        """Shifts the image so that the content at `current_px` [2] moves to `target_px` [2]."""
        return self.shift_image(np.subtract(target_px, current_px), inplace=inplace)

    def shift_to_center(
        self, point_px: Any, imshape: tuple[int, ...], *, inplace: bool = True
    ) -> Camera:
        """Shifts the image so that the content at `point_px` [2] moves to its centre."""
        return self.shift_to_desired(point_px, _image_center(imshape), inplace=inplace)

    def center_principal_point(self, imshape: tuple[int, ...], *, inplace: bool = True) -> Camera:
        """Puts the principal point at the centre of an image of shape (height, width, ...)."""
        camera = self._target(inplace)
        camera.intrinsic_matrix[:2, 2] = _image_center(imshape)
        return camera

    def square_pixels(self, *, inplace: bool = True) -> Camera:
        """Scales the image axes so that both focal lengths equal their mean."""
        camera = self._target(inplace)
        focals = self.intrinsic_matrix[[0, 1], [0, 1]].astype(np.float64)
        camera.intrinsic_matrix[:2] *= _per_row(focals.mean() / focals)
        return camera

    def undistort(
        self,
        alpha_balance: Optional[float] = None,
        imshape: Optional[tuple[int, ...]] = None,
        new_imshape: Optional[tuple[int, ...]] = None,
        center_principal_point: bool = False,
        *,
        inplace: bool = True,
    ) -> Camera:
        """Removes the lens distortion.

        Args:
            alpha_balance: None keeps the intrinsics. A number from 0 (only valid pixels are
                visible) to 1 (all source pixels are visible) chooses new ones by OpenCV.
            imshape: Shape (height, width, ...) of the distorted image; needed with
                `alpha_balance`.
            new_imshape: Shape of the undistorted image; default: `imshape`.
            center_principal_point: Put the new principal point at the centre of the image.
        """
        camera = self._target(inplace)
        if alpha_balance is not None and imshape is None:
            raise UserError("undistort needs the image shape when alpha_balance is given.")
        if alpha_balance is not None and imshape is not None:
            output_shape = new_imshape or imshape
            camera.intrinsic_matrix = distortion.balanced_intrinsics(
                self.intrinsic_matrix, self.distortion_coeffs, alpha_balance, imshape, output_shape
            )
            if center_principal_point:
                camera.center_principal_point(output_shape)
        camera.distortion_coeffs = None
        return camera

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

    def _target(self, inplace: bool) -> Camera:
        return self if inplace else self.copy()


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the cross product of two vectors; `np.cross` is ten times slower."""
    (x, y, z), (u, v, w) = a, b
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def _per_row(factor: Any) -> np.ndarray:
    return np.asarray(factor, np.float32).reshape(-1, 1)


def _image_center(imshape: tuple[int, ...]) -> np.ndarray:
    return np.array([(imshape[1] - 1) / 2, (imshape[0] - 1) / 2], np.float32)


def _rotation(axis: str, angle: float) -> np.ndarray:
    vector = np.zeros(3)
    vector["xyz".index(axis)] = angle
    return cv2.Rodrigues(vector)[0]


def _float32(array: Any) -> np.ndarray:
    return np.asarray(array, np.float32)
