"""Cameras from the calibration files of datasets, whose conventions differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import cv2
import numpy as np

from metrabs.geometry.camera import Camera

_MIN_COEFFICIENTS = 5


def calibrated_camera(
    intrinsic_matrix: Any,
    rotation: Any = None,
    translation_mm: Any = None,
    distortion: Optional[Sequence[float]] = None,
    world_up: Sequence[float] = (0, -1, 0),
) -> Camera:
    """Builds a camera that maps world points x to R x + T in camera space.

    Args:
        intrinsic_matrix: `[3, 3]`, pixels.
        rotation: R, `[3, 3]`, or a rotation vector of 3 numbers (axis times angle in radians);
            default: none.
        translation_mm: T, 3 numbers in any nesting; default: none.
        distortion: Coefficients of OpenCV's standard lens model, k1, k2[, p1, p2[, k3 ...]];
            default: none.
        world_up: Upward direction of the world.
    """
    rotation = np.eye(3) if rotation is None else np.asarray(rotation, np.float64)
    if rotation.size == 3:
        rotation, _ = cv2.Rodrigues(rotation.reshape(3, 1))
    translation_mm = np.zeros(3) if translation_mm is None else translation_mm
    return Camera(
        optical_center=-rotation.T @ np.asarray(translation_mm, np.float64).reshape(3),
        rot_world_to_cam=rotation,
        intrinsic_matrix=np.asarray(intrinsic_matrix, np.float64),
        distortion_coeffs=None if distortion is None else standard_coefficients(distortion),
        world_up=tuple(world_up),
    )


def standard_coefficients(distortion: Sequence[float]) -> np.ndarray:
    """Returns coefficients of the standard lens model, padded with zeros to at least five.

    `Camera` takes exactly four coefficients for those of a fisheye lens.

    Args:
        distortion: k1, k2[, p1, p2[, k3 ...]] in any nesting.
    """
    coefficients = np.asarray(distortion, np.float64).reshape(-1)
    return np.pad(coefficients, (0, max(0, _MIN_COEFFICIENTS - len(coefficients))))
