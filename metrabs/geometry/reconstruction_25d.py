"""Absolute poses from image coordinates, relative depths and known bone lengths (2.5D).

The image positions and relative depths of the joints leave one unknown: the depth of the whole
person. It is chosen such that the bones get their known lengths. Method of the
2.5D baseline in MeTRAbs (T-BIOM 2021, after Iqbal et al., ECCV 2018); original constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from metrabs.geometry.masked import center_relative_pose
from metrabs.geometry.projection import (
    back_project,
    is_within_fov,
    normalize_image_points,
    to_homogeneous,
)

_NUM_ITERATIONS = 10
_INITIAL_DAMPING = 1e-20
_DAMPING_GROWTH = 10.0
_TYPICAL_EXTENT_MM = 1500.0  # of a person in the image plane, for the initial guess
_OUTSIDE_WEIGHT = 1e-8  # of bones that are not entirely inside the field of view
_TINY = 1e-9

Bones = Sequence[tuple[int, int]]


def reconstruct_by_bone_lengths(
    coords2d: Any,
    depths: Any,
    intrinsics: Any,
    bones: Bones,
    bone_lengths_mm: Any,
    *,
    proc_side: int,
    stride: int,
    centered_stride: bool,
    center_is_mean: bool = True,
    only_inside_fov: bool = True,
) -> tf.Tensor:
    """Finds the absolute camera-space pose.

    Args:
        coords2d: crop pixels `[batch, joints, 2]`, float32.
        depths: depths up to a shift `[batch, joints]`, mm, float32.
        intrinsics: `[batch, 3, 3]`, from camera space to crop pixels.
        bones: the E pairs of joint indices.
        bone_lengths_mm: `[E]`; 0 where unknown.
        proc_side: side of the crop, pixels.
        stride: training stride of the backbone, pixels.
        centered_stride: whether heatmap cells are centred on the pixels they see.
        center_is_mean: depths are relative to their mean; otherwise to the last joint.
        only_inside_fov: bones that reach out of the field of view hardly count.

    Returns:
        Absolute poses `[batch, joints, 3]`, mm, camera space.
    """
    coords2d = tf.convert_to_tensor(coords2d)
    bone_lengths_mm = tf.convert_to_tensor(bone_lengths_mm)
    normalized2d = normalize_image_points(coords2d, intrinsics)
    delta_z = center_relative_pose(depths, None, center_is_mean)
    is_known = tf.cast(bone_lengths_mm > 0, coords2d.dtype)
    weights = tf.broadcast_to(is_known, [tf.shape(coords2d)[0], len(bones)])
    if only_inside_fov:
        is_inside = is_within_fov(
            coords2d, proc_side=proc_side, stride=stride, centered_stride=centered_stride
        )
        first, second = (tf.gather(is_inside, [b[k] for b in bones], axis=1) for k in (0, 1))
        weights *= tf.cast(first & second, coords2d.dtype) + _OUTSIDE_WEIGHT
    extent = tf.reduce_max(normalized2d, axis=1) - tf.reduce_min(normalized2d, axis=1)
    initial_z = _TYPICAL_EXTENT_MM / tf.maximum(tf.reduce_max(extent, axis=-1), _TINY)
    z = depth_by_bone_lengths(normalized2d, delta_z, bones, bone_lengths_mm, weights, initial_z)
    return back_project(normalized2d, delta_z, z)


def depth_by_bone_lengths(
    normalized2d: Any,
    delta_z: Any,
    bones: Bones,
    bone_lengths_mm: Any,
    weights: Any,
    initial_z: Any,
) -> tf.Tensor:
    """Finds the depth at which bones have given lengths, by ten Levenberg-Marquardt steps.

    A bone's squared length is a quadratic function c z^2 + d z + e of the reference depth z, so
    that the least squares problem has one unknown.

    Deviation: the original treats a batch as one problem with one damping, where a step is taken
    or rejected for all people at once. Here each example has its own.

    Args:
        normalized2d: Normalized image coordinates `[batch, joints, 2]`.
        delta_z: depth of the joints relative to the reference `[batch, joints]`, mm.
        bones: the E pairs of joint indices.
        bone_lengths_mm: `[E]` or `[batch, E]`.
        weights: `[batch, E]`, factors of the differences from these lengths.
        initial_z: `[batch]`, where to start, mm.

    Returns:
        Depth of the reference `[batch]`, mm.
    """
    c, d, e = _squared_length_coefficients(to_homogeneous(normalized2d), delta_z, bones)

    def lengths_at(z: tf.Tensor) -> tf.Tensor:
        """Lengths of the bones if the root is at depth z."""
        z = z[:, tf.newaxis]
        return tf.sqrt(tf.maximum(c * tf.square(z) + d * z + e, _TINY))

    def residuals_of(lengths: tf.Tensor) -> tf.Tensor:
        """Weighted differences from the wanted lengths."""
        return (lengths - bone_lengths_mm) * weights

    z = tf.convert_to_tensor(initial_z)
    damping = tf.fill(tf.shape(z), tf.constant(_INITIAL_DAMPING, z.dtype))
    for _ in range(_NUM_ITERATIONS):
        lengths = lengths_at(z)
        residuals = residuals_of(lengths)
        slopes = weights * (2 * c * z[:, tf.newaxis] + d) / (2 * lengths)
        step = tf.math.divide_no_nan(
            tf.reduce_sum(slopes * residuals, axis=-1),
            tf.reduce_sum(tf.square(slopes), axis=-1) + damping,
        )
        new_cost = tf.reduce_sum(tf.square(residuals_of(lengths_at(z - step))), axis=-1)
        is_better = new_cost < tf.reduce_sum(tf.square(residuals), axis=-1)
        z = tf.where(is_better, z - step, z)
        damping = tf.where(is_better, damping, damping * _DAMPING_GROWTH)
    return z


def _squared_length_coefficients(
    rays: tf.Tensor, delta_z: Any, bones: Bones
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the coefficients `[batch, E]` of the squared bone lengths in the depth."""
    offsets = rays * tf.convert_to_tensor(delta_z)[..., tf.newaxis]
    firsts, seconds = [bone[0] for bone in bones], [bone[1] for bone in bones]
    ray, offset = (
        tf.gather(points, firsts, axis=1) - tf.gather(points, seconds, axis=1)
        for points in (rays, offsets)
    )
    products = (ray * ray, 2 * ray * offset, offset * offset)
    c, d, e = (tf.reduce_sum(product, axis=-1) for product in products)
    return c, d, e
