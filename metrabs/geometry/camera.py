"""Camera: the operations that turn, zoom, shift and mirror a camera, of which crops are made.

The numbers agree with the release, save where a comment says otherwise.
"""

from __future__ import annotations

from typing import Any, Optional

import cv2
import numpy as np

from metrabs.errors import UserError
from metrabs.geometry import distortion
from metrabs.geometry.camera_model import CameraModel


class Camera(CameraModel):
    """A camera that can be changed; its arguments and attributes are those of `CameraModel`.

    Every operation works in place and returns the camera; with `inplace=False` it works on a copy
    and returns that.
    """

    @staticmethod
    def from_fov(
        fov_degrees: float, imshape: tuple[int, ...], world_up: Any = (0, -1, 0)
    ) -> Camera:
        """Returns a camera at the origin whose larger image side spans the given angle.

        Args:
            fov_degrees: full field of view over the larger image side.
            imshape: (height, width, ...) in pixels.
            world_up: [3].
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
        camera.R = self.R.copy()
        camera.t = self.t.copy()
        camera.intrinsic_matrix = self.intrinsic_matrix.copy()
        camera.distortion_coeffs = (
            None if self.distortion_coeffs is None else self.distortion_coeffs.copy()
        )
        camera.world_up = self.world_up.copy()
        return camera

    # --- Operations on the rotation and the position

    def turn_towards(
        self,
        target_image_point: Any = None,
        target_world_point: Any = None,
        target_cam_point: Any = None,
        *,
        inplace: bool = True,
    ) -> Camera:
        """Turns the camera so that a point comes to lie on the optical axis, upright.

        Roll and mirroring are removed. Exactly one target must be given: an image point [2] in
        pixels, a world point [3] or a camera-frame point [3], mm.
        """
        camera = self._target(inplace)
        rotation = self.R.astype(np.float64)
        # Deviation: the release forms a world point 1 mm before the camera in float32, which
        # turns the camera by up to 1e-4 rad too far or short when it stands metres from the
        # origin. The direction is all that matters, so it is computed in float64 and without t.
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
            # Deviation: straight up or down the release gives NaN; here x keeps its direction.
            right = rotation[0] - (rotation[0] @ forward) * forward
        right = _unit(right)
        camera.R = np.stack([right, _cross(forward, right), forward]).astype(self.R.dtype)
        return camera

    def rotate(
        self, yaw: float = 0, pitch: float = 0, roll: float = 0, *, inplace: bool = True
    ) -> Camera:
        """Rotates the camera by angles in radians about its y, then x, then z axis.

        With a positive roll the camera turns clockwise and the image content the other way.
        """
        camera = self._target(inplace)
        about_axes = [_rotation(axis, angle) for axis, angle in zip("yxz", (yaw, pitch, roll))]
        turn = about_axes[0] @ about_axes[1] @ about_axes[2]
        camera.R = (turn.T @ self.R).astype(self.R.dtype)
        return camera

    def reset_roll(self, *, inplace: bool = True) -> Camera:
        """Makes the image's x axis horizontal, keeping the viewing direction if not vertical."""
        camera = self._target(inplace)
        forward = self.R[2].astype(np.float64)
        right = _cross(forward, self.world_up)
        if np.linalg.norm(right) > 0:
            right = _unit(right)
            camera.R = np.stack([right, _cross(forward, right), forward]).astype(self.R.dtype)
        return camera

    def orbit_around(
        self, world_point: Any, angle: float, axis: str = "vertical", *, inplace: bool = True
    ) -> Camera:
        """Moves the camera on a circle about a world point, always showing it the same way.

        Args:
            world_point: [3], mm.
            angle: radians.
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

    def horizontal_flip_image(self, imshape: tuple[int, ...], *, inplace: bool = True) -> Camera:
        """Makes the camera that of the mirrored image.

        Args:
            imshape: (height, width, ...) of the image.
        """
        camera = self.horizontal_flip(inplace=inplace)
        # Deviation: the release forgets the -1 that pixel centres at integers demand.
        camera.intrinsic_matrix[0, 2] = imshape[1] - 1 - camera.intrinsic_matrix[0, 2]
        return camera

    # --- Operations on the image

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
        """Shifts the image so that the content at `current_px` [2] appears at `target_px` [2]."""
        return self.shift_image(np.subtract(target_px, current_px), inplace=inplace)

    def shift_to_center(
        self, point_px: Any, imshape: tuple[int, ...], *, inplace: bool = True
    ) -> Camera:
        """Shifts the image so that the content at `point_px` [2] appears at its centre."""
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
            alpha_balance: None keeps the intrinsics. A number from 0 (only valid pixels are seen)
                to 1 (all pixels of the source are seen) chooses new ones by OpenCV.
            imshape: (height, width, ...) of the distorted image; needed with `alpha_balance`.
            new_imshape: of the undistorted image; default: as `imshape`.
            center_principal_point: put the new principal point at the centre of the image.
        """
        camera = self._target(inplace)
        if alpha_balance is not None and imshape is None:
            raise UserError("undistort needs the image shape to choose intrinsics by balance.")
        if alpha_balance is not None and imshape is not None:
            output_shape = new_imshape or imshape
            camera.intrinsic_matrix = distortion.balanced_intrinsics(
                self.intrinsic_matrix, self.distortion_coeffs, alpha_balance, imshape, output_shape
            )
            if center_principal_point:
                camera.center_principal_point(output_shape)
        camera.distortion_coeffs = None
        return camera

    def _target(self, inplace: bool) -> Camera:
        return self if inplace else self.copy()


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the cross product of two vectors; `np.cross` takes ten times as long."""
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
