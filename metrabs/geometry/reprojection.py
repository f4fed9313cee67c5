"""Reprojecting points, boxes, images and masks to another camera at the same position."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from metrabs.errors import UserError
from metrabs.geometry import boxes, distortion
from metrabs.geometry.camera import Camera

_INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA, "lanczos4": cv2.INTER_LANCZOS4,
}  # fmt: skip


def interpolation_flag(name: str) -> int:
    """Returns OpenCV's constant for the name of an interpolation, such as 'linear'."""
    return _INTERPOLATIONS[name]


def reproject_image_points(points_px: Any, old_camera: Camera, new_camera: Camera) -> np.ndarray:
    """Maps image points [..., 2] of the old camera to the new one; NaN stays NaN.

    Between undistorted cameras this is a homography, and the cameras' positions are not compared.

    Raises:
        UserError: if a camera is distorted and the optical centres differ.
    """
    points = np.asarray(points_px, np.float32)
    if _are_undistorted(old_camera, new_camera):
        homography = _homography(old_camera, new_camera)
        mapped = points @ homography[:, :2].T + homography[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            return (mapped[..., :2] / mapped[..., 2:]).astype(np.float32)
    _check_same_center(old_camera, new_camera)
    if _differ_by_intrinsics_only(old_camera, new_camera):
        affine = _intrinsics_change(old_camera, new_camera)
        return (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
    # Deviation: the original implementation goes through world points, whose rounding error grows
    # with the distance from the world's origin. Rays from the common centre avoid that.
    turn = new_camera.R.astype(np.float64) @ old_camera.R.T
    return new_camera.camera_to_image(old_camera.rays(points) @ turn.T)


def reproject_box(box: Any, old_camera: Camera, new_camera: Camera) -> np.ndarray:
    """Maps a box [4] by the mean of the boxes around its corners and midpoints (golden tests)."""
    return (
        reproject_box_corners(box, old_camera, new_camera)
        + reproject_box_side_midpoints(box, old_camera, new_camera)
    ) / 2


def reproject_box_corners(box: Any, old_camera: Camera, new_camera: Camera) -> np.ndarray:
    """Returns the box [4] around the mapped corners of a box."""
    return boxes.bounding_box(reproject_image_points(boxes.corners(box), old_camera, new_camera))


def reproject_box_side_midpoints(box: Any, old_camera: Camera, new_camera: Camera) -> np.ndarray:
    """Returns the box [4] around the mapped midpoints of a box's sides."""
    return boxes.bounding_box(
        reproject_image_points(boxes.side_midpoints(box), old_camera, new_camera)
    )


def reproject_image(
    image: np.ndarray,
    old_camera: Camera,
    new_camera: Camera,
    output_imshape: tuple[int, ...],
    border_mode: int = cv2.BORDER_CONSTANT,
    border_value: Any = 0,
    interp: int = cv2.INTER_LINEAR,
    antialias_factor: int = 1,
) -> np.ndarray:
    """Renders what the new camera sees from an image of the old camera.

    Args:
        image: [h, w] or [h, w, channels], uint8 or float32.
        old_camera: The camera of the image.
        new_camera: The camera of the result.
        output_imshape: Shape (height, width, ...) of the result.
        border_mode, border_value: OpenCV's rule for pixels outside the image, and their value.
        interp: OpenCV's interpolation.
        antialias_factor: Supersampling factor: render at this multiple of the size, then average.

    Returns:
        An image of the same type and number of axes.

    Raises:
        UserError: if a camera is distorted and the optical centres differ.
    """
    height, width = output_imshape[:2]
    if antialias_factor > 1:
        scaled_camera = new_camera.scale_output(antialias_factor, inplace=False)
        scaled_camera.shift_image([(antialias_factor - 1) / 2] * 2)
        scaled_shape = (antialias_factor * height, antialias_factor * width)
        enlarged = reproject_image(
            image, old_camera, scaled_camera, scaled_shape, border_mode, border_value, interp
        )
        result = cv2.resize(enlarged, (width, height), interpolation=cv2.INTER_AREA)
    else:
        border = dict(borderMode=border_mode, borderValue=border_value)
        result = _warp(image, old_camera, new_camera, (width, height), interp, border)
    return result[..., np.newaxis] if result.ndim < image.ndim else result


def reproject_mask(
    mask: np.ndarray,
    old_camera: Camera,
    new_camera: Camera,
    output_imshape: tuple[int, ...],
    antialias_factor: int = 1,
) -> np.ndarray:
    """Renders a mask [h, w] (non-zero is inside) as uint8 0 and 1 (golden tests)."""
    levels = (np.asarray(mask) != 0).astype(np.uint8) * 255
    reprojected = reproject_image(
        levels, old_camera, new_camera, output_imshape, antialias_factor=antialias_factor
    )
    return reprojected // 128


def _warp(
    image: np.ndarray,
    old_camera: Camera,
    new_camera: Camera,
    size_wh: tuple[int, int],
    interp: int,
    border: dict[str, Any],
) -> np.ndarray:
    """Warps by the cheapest OpenCV function that is exact for these cameras."""
    is_undistorted = _are_undistorted(old_camera, new_camera)
    if not is_undistorted:
        _check_same_center(old_camera, new_camera)
    flags = interp | cv2.WARP_INVERSE_MAP
    if _differ_by_intrinsics_only(old_camera, new_camera):
        matrix = _intrinsics_change(new_camera, old_camera).astype(np.float32)
        return cv2.warpAffine(image, matrix, size_wh, flags=flags, **border)
    if is_undistorted:
        matrix = _homography(new_camera, old_camera).astype(np.float32)
        return cv2.warpPerspective(image, matrix, size_wh, flags=flags, **border)
    # Deviation: the original implementation caches these maps by the identity of the cameras, so
    # that they are outdated after a camera was changed in place. Here they are always computed.
    maps = _source_coordinates(old_camera, new_camera, size_wh)
    return cv2.remap(image, *maps, interp, **border)


def _source_coordinates(
    old_camera: Camera, new_camera: Camera, size_wh: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Computes where in the old image each pixel of the new one comes from: x and y, [h, w]."""
    if new_camera.distortion_coeffs is None and old_camera.distortion_coeffs is not None:
        turn = new_camera.R.astype(np.float64) @ old_camera.R.T
        x, y = distortion.undistortion_maps(
            old_camera.distortion_coeffs, turn, new_camera.intrinsic_matrix, size_wh
        )
        (fx, skew, cx), (_, fy, cy) = old_camera.intrinsic_matrix[:2]
        return fx * x + skew * y + cx, fy * y + cy
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size_wh)), axis=-1)
    # Through world points like the original, since no training set has distorted crops.
    coordinates = old_camera.world_to_image(new_camera.image_to_world(grid))
    return coordinates[..., 0], coordinates[..., 1]


def _are_undistorted(*cameras: Camera) -> bool:
    return all(camera.distortion_coeffs is None for camera in cameras)


def _differ_by_intrinsics_only(a: Camera, b: Camera) -> bool:
    return distortion.is_close(a.R, b.R) and a.has_same_distortion(b)


def _homography(old_camera: Camera, new_camera: Camera) -> np.ndarray:
    """Returns the float64 [3, 3] map of homogeneous image points from old to new."""
    old = old_camera.intrinsic_matrix.astype(np.float64) @ old_camera.R
    new = new_camera.intrinsic_matrix.astype(np.float64) @ new_camera.R
    return new @ np.linalg.inv(old)


def _intrinsics_change(old_camera: Camera, new_camera: Camera) -> np.ndarray:
    """Returns the float64 [2, 3] affine map of image points from old to new intrinsics."""
    inverse = np.linalg.inv(old_camera.intrinsic_matrix.astype(np.float64))
    return (new_camera.intrinsic_matrix @ inverse)[:2]


def _check_same_center(old_camera: Camera, new_camera: Camera) -> None:
    if not distortion.is_close(old_camera.t, new_camera.t):
        raise UserError(
            "Reprojection needs cameras at the same place, got optical centres "
            f"{old_camera.t.tolist()} and {new_camera.t.tolist()}."
        )
