"""Means, standard deviations and centred poses over joints, some of which are not annotated.

All functions have static shapes, so that they compile under XLA: invalid entries are replaced by
zero and left out of the counts, never removed. A statistic of nothing is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

import tensorflow as tf

Axis = Union[int, Sequence[int], None]


def masked_sum(
    values: Any, mask: Optional[Any] = None, axis: Axis = None, keepdims: bool = False
) -> tf.Tensor:
    """Sums the valid entries.

    Args:
        values: tensor `[d1, ..., dn]`; invalid entries may hold anything, also NaN.
        mask: bool tensor `[d1, ..., dm]` with m <= n, True where valid; None means all are.
        axis: axes to sum over; None sums over all.
        keepdims: keep the summed axes with size 1.
    """
    values = tf.convert_to_tensor(values)
    if mask is not None:
        values = tf.where(_with_trailing_axes(mask, values), values, tf.zeros_like(values))
    return tf.reduce_sum(values, axis=axis, keepdims=keepdims)


def masked_mean(
    values: Any, mask: Optional[Any] = None, axis: Axis = None, keepdims: bool = False
) -> tf.Tensor:
    """Averages the valid entries; 0 where there is none.

    With explicit axes the divisor is the number of true mask entries along these axes. As
    in the original implementation, axes that the mask does not have (coordinates) do not count.

    Deviation: the mean over everything (`axis` None) of an empty mask is 0; the original gives
    NaN, which ends training as soon as a batch has no valid joint.

    Args:
        values: tensor `[d1, ..., dn]`.
        mask: bool tensor `[d1, ..., dm]` with m <= n, True where valid; None means all are.
        axis: axes to average over; None averages over all elements.
        keepdims: keep the averaged axes with size 1.
    """
    values = tf.convert_to_tensor(values)
    if mask is None:
        return tf.reduce_mean(values, axis=axis, keepdims=keepdims)
    is_valid = _with_trailing_axes(mask, values)
    if axis is None:
        is_valid = tf.broadcast_to(is_valid, tf.shape(values))
    count = tf.reduce_sum(tf.cast(is_valid, values.dtype), axis=axis, keepdims=keepdims)
    return tf.math.divide_no_nan(masked_sum(values, mask, axis, keepdims), count)


def masked_mean_and_stdev(
    values: Any,
    mask: Optional[Any] = None,
    items_axis: int = -2,
    dims_axis: int = -1,
    fixed_ref: Optional[Any] = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Finds the centre of valid points and their root mean square distance from it.

    The spread is one number for all coordinates: the squared distances are divided by the number
    of points, not of coordinates. 1e-10 is added below the square root, so that a single point or
    none gives 1e-5 and finite gradients.

    Args:
        values: points, for example `[batch, points, coordinates]`.
        mask: bool tensor for the leading axes (`[batch, points]`); None means all are valid.
        items_axis: the axis of the points.
        dims_axis: the axis of the coordinates.
        fixed_ref: measure the distances from here instead of the mean.

    Returns:
        (mean, standard deviation), both with the reduced axes kept.
    """
    values = tf.convert_to_tensor(values)
    mean = fixed_ref
    if mean is None:
        mean = masked_mean(values, mask, axis=items_axis, keepdims=True)
    squared_distances = tf.reduce_sum(tf.square(values - mean), axis=dims_axis, keepdims=True)
    variance = masked_mean(squared_distances, mask, axis=items_axis, keepdims=True)
    return mean, tf.sqrt(variance + 1e-10)


def center_relative_pose(
    coords3d: Any,
    mask: Optional[Any] = None,
    center_is_mean: bool = True,
    center_joints: Optional[Any] = None,
) -> tf.Tensor:
    """Expresses joints relative to the mean of the valid ones, or to the last joint.

    Args:
        coords3d: poses `[batch, joints, 3]`, or a depth only `[batch, joints]`.
        mask: bool `[batch, joints]`; joints that count in the mean. All joints are shifted.
        center_is_mean: centre by the mean; otherwise by the last joint.
        center_joints: int indices; only these joints count in the mean.
    """
    coords3d = tf.convert_to_tensor(coords3d)
    if not center_is_mean:
        return coords3d - coords3d[:, -1:]
    centers, center_mask = coords3d, mask
    if center_joints is not None:
        centers = tf.gather(coords3d, center_joints, axis=1)
        center_mask = None if mask is None else tf.gather(mask, center_joints, axis=1)
    return coords3d - masked_mean(centers, center_mask, axis=1, keepdims=True)


def align_2d_skeletons(pred: Any, true: Any, mask: Optional[Any] = None) -> tf.Tensor:
    """Moves and scales predicted 2D poses to the centre and spread of the true ones.

    Args:
        pred: predicted 2D poses `[batch, joints, 2]`.
        true: true 2D poses, same shape and unit as the result.
        mask: bool `[batch, joints]`, True where the truth is annotated.
    """
    mean_pred, stdev_pred = masked_mean_and_stdev(pred, mask)
    mean_true, stdev_true = masked_mean_and_stdev(true, mask)
    return (pred - mean_pred) / stdev_pred * stdev_true + mean_true


def ramp(x: Any, t1: float, t2: float) -> tf.Tensor:
    """Falls linearly from 1 at `t1` and below to 0 at `t2` and above.

    Its mean over errors is the area under the curve of the fraction of errors below a threshold
    between `t1` and `t2`. Used by golden tests only.
    """
    return tf.clip_by_value((t2 - x) / (t2 - t1), 0.0, 1.0)


def _with_trailing_axes(mask: Any, values: tf.Tensor) -> tf.Tensor:
    mask = tf.convert_to_tensor(mask)
    for _ in range(values.shape.rank - mask.shape.rank):
        mask = mask[..., tf.newaxis]
    return mask
