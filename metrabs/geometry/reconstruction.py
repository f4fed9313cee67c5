"""Absolute poses from 2D image coordinates and root-relative 3D coordinates.

The crop model predicts where joints are in the image and how they lie relative to each other in
millimetres. Both together determine where the person stands. Method: MeTRAbs (T-BIOM 2021),
section on absolute pose reconstruction; original constants.
"""

from __future__ import annotations

from typing import Any, Optional

import tensorflow as tf

from metrabs.errors import unknown_name_error
from metrabs.geometry.masked import masked_mean, masked_mean_and_stdev
from metrabs.geometry.projection import (
    back_project,
    is_within_fov,
    normalize_image_points,
    to_homogeneous,
)

REGULARIZATION = 0.01  # of the least squares problem, after normalisation
OUTSIDE_WEIGHT = 1e-4  # of points outside the field of view
SCALES = ("example", "batch")


def reconstruct_absolute(
    coords2d: Any,
    coords3d_rel: Any,
    intrinsics: Any,
    *,
    proc_side: int,
    stride: int,
    centered_stride: bool,
    mix_3d_inside_fov: Optional[Any] = None,
    weak_perspective: Any = False,
    scale: str = "example",
) -> tf.Tensor:
    """Finds the absolute camera-space pose.

    Joints inside the field of view lie on their viewing ray (or between there and the shifted
    relative pose, see `mix_3d_inside_fov`), the others come from the shifted relative pose.

    Args:
        coords2d: crop pixels `[batch, points, 2]`, float32.
        coords3d_rel: metric pose up to a shift `[batch, points, 3]`, mm, float32.
        intrinsics: `[batch, 3, 3]`, from camera space to crop pixels.
        proc_side: side of the crop, pixels.
        stride: training stride of the backbone, pixels.
        centered_stride: whether heatmap cells are centred on the pixels they see.
        mix_3d_inside_fov: weight of the shifted relative pose inside the field of view: a number,
            or a tensor broadcastable to `[batch, 1, 1]`. None means 0.
        weak_perspective: estimate the shift by weak instead of full perspective; a bool or a
            scalar bool tensor.
        scale: over what the least squares problem is normalised, see `full_perspective_offset`.

    Returns:
        Absolute poses `[batch, points, 3]`, mm, camera space.
    """
    coords2d, coords3d_rel = tf.convert_to_tensor(coords2d), tf.convert_to_tensor(coords3d_rel)
    normalized2d = normalize_image_points(coords2d, intrinsics)
    is_inside = is_within_fov(
        coords2d, proc_side=proc_side, stride=stride, centered_stride=centered_stride
    )
    offset = _reference_offset(normalized2d, coords3d_rel, is_inside, weak_perspective, scale)
    from_3d = coords3d_rel + offset[:, tf.newaxis]
    from_2d = back_project(normalized2d, coords3d_rel[..., 2], offset[:, 2])
    if mix_3d_inside_fov is not None:
        mix = tf.cast(mix_3d_inside_fov, from_2d.dtype)
        from_2d = mix * from_3d + (1 - mix) * from_2d
    return tf.where(is_inside[..., tf.newaxis], from_2d, from_3d)


def weak_perspective_offset(normalized2d: Any, coords3d_rel: Any, is_inside: Any) -> tf.Tensor:
    """Finds the shift of the relative pose by comparing spreads in 3D and on the image plane.

    Args:
        normalized2d: Normalized image coordinates `[batch, points, 2]`.
        coords3d_rel: `[batch, points, 3]`, mm.
        is_inside: bool `[batch, points]`, the points that count. None valid: the mean depth is 1.

    Returns:
        `[batch, 3]`, mm.
    """
    mean2d, stdev2d = masked_mean_and_stdev(normalized2d, is_inside)
    _, stdev3d = masked_mean_and_stdev(coords3d_rel[..., :2], is_inside)
    depth = tf.maximum(stdev3d, 1e-5) / tf.maximum(stdev2d, 1e-5)
    old_mean = masked_mean(coords3d_rel, is_inside, axis=1, keepdims=True)
    return tf.squeeze(to_homogeneous(mean2d) * depth - old_mean, axis=1)


def full_perspective_offset(
    normalized2d: Any, coords3d_rel: Any, is_inside: Any, scale: str = "example"
) -> tf.Tensor:
    """Finds the shift of the relative pose by regularised linear least squares.

    A point (u, v) on the unit plane and its relative position (x, y, z) ask for a shift (X, Y, Z)
    with `X - u Z = u z - x` and `Y - v Z = v z - y`. Image coordinates and right-hand sides are
    divided by their root mean squares; rows are weighted by 1.0001 inside the field of view and
    0.0001 outside; `0.01 * (X^2 + Y^2 + Z^2)` (normalised) is added to the squared residuals.
    X and Y are eliminated by hand from the normal equations, and the depth equation is written
    with deviations from the weighted means: float32 loses far less there than in a general
    3x3 solver, and all gradients are finite.

    Args:
        normalized2d: Normalized image coordinates `[batch, points, 2]`.
        coords3d_rel: `[batch, points, 3]`, mm.
        is_inside: bool `[batch, points]`.
        scale: 'example': root mean squares over each example's points;
            'batch': over the whole batch (original).

    Returns:
        `[batch, 3]`, mm.
    """
    # Deviation: the original normalises over the whole batch. Through the regulariser, one example
    # with far-off 2D coordinates then changes the depth of all others, so the default here is per
    # example; 'batch' reproduces the original.
    right_side = normalized2d * coords3d_rel[..., 2:] - coords3d_rel[..., :2]
    scale2d = _root_mean_square(normalized2d, scale)
    scale_right = _root_mean_square(right_side, scale)
    slopes, right_side = normalized2d / scale2d, right_side / scale_right

    weights = tf.square(tf.cast(is_inside, slopes.dtype) + OUTSIDE_WEIGHT)[..., tf.newaxis]
    total = tf.reduce_sum(weights, axis=1)
    mean_slope = tf.reduce_sum(weights * slopes, axis=1) / total
    mean_right = tf.reduce_sum(weights * right_side, axis=1) / total
    slope_deviations = slopes - mean_slope[:, tf.newaxis]
    right_deviations = right_side - mean_right[:, tf.newaxis]

    # What the regulariser leaves of the means when X and Y are eliminated.
    rest = total * REGULARIZATION / (total + REGULARIZATION)
    numerator = -_sum_last(
        tf.reduce_sum(weights * slope_deviations * right_deviations, axis=1)
        + rest * mean_slope * mean_right
    )
    denominator = REGULARIZATION + _sum_last(
        tf.reduce_sum(weights * tf.square(slope_deviations), axis=1) + rest * tf.square(mean_slope)
    )
    depth = numerator / denominator
    lateral = total * (mean_right + mean_slope * depth) / (total + REGULARIZATION)
    scale2d, scale_right = scale2d[:, 0], scale_right[:, 0]
    return tf.concat([lateral * scale_right, depth * scale_right / scale2d], axis=-1)


def _reference_offset(
    normalized2d: tf.Tensor,
    coords3d_rel: tf.Tensor,
    is_inside: tf.Tensor,
    weak_perspective: Any,
    scale: str,
) -> tf.Tensor:
    if isinstance(weak_perspective, bool):
        if weak_perspective:
            return weak_perspective_offset(normalized2d, coords3d_rel, is_inside)
        return full_perspective_offset(normalized2d, coords3d_rel, is_inside, scale)
    # Both are cheap and finite, so a plain selection is simpler than a branch in the graph.
    return tf.where(
        weak_perspective,
        weak_perspective_offset(normalized2d, coords3d_rel, is_inside),
        full_perspective_offset(normalized2d, coords3d_rel, is_inside, scale),
    )


def _root_mean_square(values: tf.Tensor, scale: str) -> tf.Tensor:
    """Returns the root mean square per example or over the batch, shape [batch or 1, 1, 1]."""
    if scale not in SCALES:
        raise unknown_name_error("reconstruction scale", scale, SCALES)
    axis = [1, 2] if scale == "example" else [0, 1, 2]
    mean_square = tf.reduce_mean(tf.square(values), axis=axis, keepdims=True)
    # The lower limit keeps the square root differentiable where everything is zero.
    return tf.sqrt(tf.maximum(mean_square, 1e-18))


def _sum_last(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(values, axis=-1, keepdims=True)
