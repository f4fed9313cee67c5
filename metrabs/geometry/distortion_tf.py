"""Lens distortion of normalized image coordinates: OpenCV's model with 12 coefficients.

The coefficients are (k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4): rational radial, tangential
and thin-prism distortion. Shorter vectors are padded with zeros, and zeros mean no distortion.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from metrabs.errors import UserError

NUM_COEFFICIENTS = 12
NUM_UNDISTORTION_STEPS = 5


def distort_points(points: Any, coeffs: Any) -> tf.Tensor:
    """Applies the lens to ideal points.

    Args:
        points: Normalized image coordinates `[batch, ..., 2]`.
        coeffs: `[batch, n]` with n <= 12 (or `[1, n]`), one row per example.

    Returns:
        Distorted normalized image coordinates, same shape.

    Raises:
        UserError: there are more than 12 coefficients (tilted sensors are not supported).
    """
    points = tf.convert_to_tensor(points)
    factor, tangential, shift = distortion_terms(points, coeffs)
    return points * (factor + tangential) + shift


def undistort_points(points: Any, coeffs: Any) -> tf.Tensor:
    """Removes the lens distortion by five fixed-point steps, like the original implementation.

    Args and errors are those of `distort_points`. Far outside the field of view the steps may not
    converge; nothing checks that.
    """
    points = tf.convert_to_tensor(points)
    undistorted = points
    for _ in range(NUM_UNDISTORTION_STEPS):
        factor, tangential, shift = distortion_terms(undistorted, coeffs)
        undistorted = (points - shift - tangential * undistorted) / factor
    return undistorted


def distortion_terms(points: Any, coeffs: Any) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Computes the parts a, b, c of `distorted = point * (a + b) + c`.

    Args:
        points: ideal points `[batch, ..., 2]`.
        coeffs: `[batch, n]` with n <= 12.

    Returns:
        Radial factor `[batch, ..., 1]`, tangential factor `[batch, ..., 1]` and shift
        `[batch, ..., 2]` by tangential and thin-prism distortion.
    """
    points = tf.convert_to_tensor(points)
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = _coefficient_columns(points, coeffs)
    x, y = points[..., :1], points[..., 1:]
    r2 = tf.square(x) + tf.square(y)
    factor = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
    tangential = 2 * (p2 * x + p1 * y)
    shift = tf.concat([p2 + s1 + s2 * r2, p1 + s3 + s4 * r2], axis=-1) * r2
    return factor, tangential, shift


def _coefficient_columns(points: tf.Tensor, coeffs: Any) -> list[tf.Tensor]:
    """Splits the coefficients into 12 tensors [batch, 1, ..., 1] that broadcast over points."""
    coeffs = tf.cast(coeffs, points.dtype)
    num_given = coeffs.shape[-1]
    if num_given is not None and num_given > NUM_COEFFICIENTS:
        raise UserError(
            f"{num_given} lens distortion coefficients were given, at most {NUM_COEFFICIENTS} are "
            "supported; leave out the tilt terms."
        )
    padded = tf.pad(coeffs, [[0, 0], [0, NUM_COEFFICIENTS - tf.shape(coeffs)[-1]]])
    shape = [tf.shape(coeffs)[0]] + [1] * (points.shape.rank - 1)
    return [tf.reshape(padded[:, i], shape) for i in range(NUM_COEFFICIENTS)]
