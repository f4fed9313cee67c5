"""Lens distortion in NumPy and OpenCV: standard and fisheye models.

Four coefficients are OpenCV's fisheye model (k1..k4); five to twelve are its standard model in
the order k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4. Tilted sensors are not supported.
"""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np

from metrabs.errors import UserError

NUM_FISHEYE_COEFFICIENTS = 4
NUM_STANDARD_COEFFICIENTS = 12


def validate_coefficients(coefficients: Optional[np.ndarray]) -> Optional[np.ndarray]:
    """Returns the coefficients as a float32 vector, or None if there are none or all are zero.

    Raises:
        UserError: there is no supported model with this number of coefficients.
    """
    if coefficients is None:
        return None
    coefficients = np.asarray(coefficients, np.float32).reshape(-1)
    if not coefficients.any():
        return None
    num = len(coefficients)
    if not NUM_FISHEYE_COEFFICIENTS <= num <= NUM_STANDARD_COEFFICIENTS:
        raise UserError(
            f"Got {num} lens distortion coefficients; expected 4 (fisheye) or 5 to 12 "
            "(k1,k2,p1,p2,k3,k4,k5,k6,s1,s2,s3,s4)."
        )
    return coefficients


def is_fisheye(coefficients: np.ndarray) -> bool:
    """Returns whether validated coefficients belong to the fisheye model."""
    return len(coefficients) == NUM_FISHEYE_COEFFICIENTS


def lenses_equal(a: Optional[np.ndarray], b: Optional[np.ndarray]) -> bool:
    """Returns whether two lenses (validated coefficients) distort equally up to rounding."""
    if a is None or b is None:
        return a is b
    return is_fisheye(a) == is_fisheye(b) and is_close(_pad_coefficients(a), _pad_coefficients(b))


def is_close(a: np.ndarray, b: np.ndarray) -> bool:
    """Same as `np.allclose` but ten times faster, since cameras are compared often."""
    return bool((np.abs(a - b) <= 1e-8 + 1e-5 * np.abs(b)).all())


def distort(points: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Maps undistorted to distorted normalized image coordinates, [n, 2]."""
    if is_fisheye(coefficients):
        return _distort_fisheye(points, coefficients)
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = _pad_coefficients(coefficients)
    x, y = points[:, 0], points[:, 1]
    r2 = x * x + y * y
    radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    factor = radial + 2 * (p2 * x + p1 * y)
    distorted_x = x * factor + r2 * (p2 + s1 + s2 * r2)
    distorted_y = y * factor + r2 * (p1 + s3 + s4 * r2)
    return np.stack([distorted_x, distorted_y], axis=1)


def undistort(points: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Maps distorted to undistorted normalized image coordinates, [n, 2].

    Uses OpenCV's iteration with its default number of steps, like the original implementation:
    approximate where the distortion is strong. NaN points stay NaN.
    """
    if len(points) == 0:
        return points
    invert = cv2.fisheye.undistortPoints if is_fisheye(coefficients) else cv2.undistortPoints
    ideal = invert(points[:, np.newaxis], np.eye(3), _pad_coefficients(coefficients))[:, 0]
    ideal[np.isnan(points).any(axis=1)] = np.nan
    return ideal


def undistortion_maps(
    coefficients: np.ndarray, rotation: np.ndarray, intrinsic_matrix: np.ndarray, size_wh: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """Maps the pixels of an undistorted view to a distorted camera's normalized coordinates.

    Args:
        coefficients: Validated coefficients of the distorted camera.
        rotation: Rotation [3, 3] from the distorted camera's axes to those of the undistorted
            view.
        intrinsic_matrix: Intrinsics [3, 3] of the undistorted view.
        size_wh: Size of the undistorted view, pixels.

    Returns:
        Two [h, w] float32 maps: distorted x and y of each pixel.
    """
    make_maps = (
        cv2.fisheye.initUndistortRectifyMap
        if is_fisheye(coefficients)
        else cv2.initUndistortRectifyMap
    )
    matrices = (np.asarray(rotation, np.float64), np.asarray(intrinsic_matrix, np.float64))
    return make_maps(np.eye(3), _pad_coefficients(coefficients), *matrices, size_wh, cv2.CV_32FC1)


def balanced_intrinsics(
    intrinsic_matrix: np.ndarray,
    coefficients: Optional[np.ndarray],
    balance: float,
    imshape: tuple[int, ...],
    new_imshape: tuple[int, ...],
) -> np.ndarray:
    """Chooses intrinsics for the undistorted version of an image (OpenCV).

    Args:
        intrinsic_matrix: Intrinsics [3, 3] of the distorted camera.
        coefficients: Validated coefficients or None.
        balance: Number from 0 (the result shows only valid pixels) to 1 (all of the image).
        imshape: Shape (height, width, ...) of the distorted image.
        new_imshape: Shape of the result.

    Returns:
        The new [3, 3] matrix, of the same type as the given one.
    """
    matrix = intrinsic_matrix.astype(np.float64)
    size_wh, new_size_wh = [(int(shape[1]), int(shape[0])) for shape in (imshape, new_imshape)]
    coefficients = np.zeros(NUM_STANDARD_COEFFICIENTS) if coefficients is None else coefficients
    if is_fisheye(coefficients):
        new_matrix = cv2.fisheye.estimateNewCameraMatrixForUndistortRectify(
            matrix, coefficients, size_wh, np.eye(3), balance=balance, new_size=new_size_wh
        )
    else:
        new_matrix, _ = cv2.getOptimalNewCameraMatrix(
            matrix, _pad_coefficients(coefficients), size_wh, balance, new_size_wh
        )
    return new_matrix.astype(intrinsic_matrix.dtype)


def _pad_coefficients(coefficients: np.ndarray) -> np.ndarray:
    """Pads standard coefficients to 12, since OpenCV does not accept every number of them."""
    if is_fisheye(coefficients):
        return coefficients
    return np.pad(coefficients, (0, NUM_STANDARD_COEFFICIENTS - len(coefficients)))


def _distort_fisheye(points: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    k1, k2, k3, k4 = coefficients
    radius = np.linalg.norm(points, axis=1, keepdims=True)
    angle = np.arctan(radius)
    angle2 = angle * angle
    distorted = angle * (1 + angle2 * (k1 + angle2 * (k2 + angle2 * (k3 + angle2 * k4))))
    return points * (distorted / np.where(radius == 0, 1, radius))
