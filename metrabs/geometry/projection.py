"""From camera space to the image plane and back; points as weighted sums of other points.

Products with 3x3 matrices are written out as multiplications and sums: on recent GPUs a matrix
product may silently run in TensorFloat-32, whose ten bits of mantissa are too few for
coordinates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Union

import tensorflow as tf


def project(points: Any) -> tf.Tensor:
    """Divides by depth: `[..., 3]` -> normalized image coordinates `[..., 2]`."""
    points = tf.convert_to_tensor(points)
    return points[..., :2] / points[..., 2:]


def project_pose(coords3d: Any, intrinsics: Any) -> tf.Tensor:
    """Projects poses to pixels.

    Points nearer than 1 mm and those behind the camera are divided by 1 instead of their depth,
    like in the original implementation: a bad prediction must not blow up the loss.

    Args:
        coords3d: camera-space poses `[batch, joints, 3]`, mm.
        intrinsics: intrinsic matrices `[batch, 3, 3]` (or `[1, 3, 3]`).

    Returns:
        Pixels `[batch, joints, 2]`.
    """
    coords3d = tf.convert_to_tensor(coords3d)
    rays = coords3d / tf.maximum(coords3d[..., 2:], 1.0)
    return transform_points(rays, tf.convert_to_tensor(intrinsics)[:, :2])


def normalize_image_points(coords2d: Any, intrinsics: Any) -> tf.Tensor:
    """Maps pixels to normalized image coordinates `[batch, points, 2]`, by the full inverse of K.

    Args:
        coords2d: pixels `[batch, points, 2]`.
        intrinsics: intrinsic matrices `[batch, 3, 3]` with last row 0 0 1; skew is honoured.
    """
    return transform_points(to_homogeneous(coords2d), invert_3x3(intrinsics)[:, :2])


def back_project(normalized2d: Any, delta_z: Any, z_offset: Any) -> tf.Tensor:
    """Places points on their viewing rays.

    Args:
        normalized2d: Normalized image coordinates `[batch, points, 2]`.
        delta_z: depth of each point relative to the reference `[batch, points]`, mm.
        z_offset: depth of the reference `[batch]`, mm.

    Returns:
        Camera-space points `[batch, points, 3]`, mm.
    """
    depth = tf.convert_to_tensor(delta_z) + tf.convert_to_tensor(z_offset)[:, tf.newaxis]
    return to_homogeneous(normalized2d) * depth[..., tf.newaxis]


def to_homogeneous(x: Any) -> tf.Tensor:
    """Appends a coordinate of value 1: `[..., n]` -> `[..., n + 1]`."""
    x = tf.convert_to_tensor(x)
    return tf.concat([x, tf.ones_like(x[..., :1])], axis=-1)


def intrinsics_from_fov(
    fov_degrees: Union[float, tf.Tensor], imshape_hw: Union[Sequence[int], tf.Tensor]
) -> tf.Tensor:
    """Builds the intrinsic matrix of a camera whose larger image side spans a given angle.

    The principal point is at (width / 2, height / 2), like in the original implementation.

    Args:
        fov_degrees: field of view along the larger side, degrees.
        imshape_hw: image height and width, pixels.

    Returns:
        `[1, 3, 3]` float32.
    """
    imshape = tf.cast(imshape_hw, tf.float32)
    half_angle = tf.cast(fov_degrees, tf.float32) * (math.pi / 360)
    focal = tf.reduce_max(imshape) / (2 * tf.tan(half_angle))
    zero, one = tf.zeros_like(focal), tf.ones_like(focal)
    rows = [[focal, zero, imshape[1] / 2], [zero, focal, imshape[0] / 2], [zero, zero, one]]
    return tf.stack([tf.stack(row) for row in rows])[tf.newaxis]


def is_within_fov(
    coords2d: Any,
    *,
    proc_side: int,
    stride: int,
    centered_stride: bool,
    border_factor: float = 0.75,
) -> tf.Tensor:
    """Returns which points lie inside the crop, a border of part of a heatmap cell excluded.

    Args:
        coords2d: crop pixels `[..., 2]`.
        proc_side: side of the crop, pixels.
        stride: training stride of the backbone, pixels (also at test time).
        centered_stride: whether heatmap cells are centred on the pixels they see.
        border_factor: Width of the excluded border in strides; with a negative number, points
            outside the crop are accepted.

    Returns:
        bool `[...]`; points exactly on the limits are inside.
    """
    offset = 0.0 if centered_stride else -stride / 2
    lower = stride * border_factor + offset
    upper = proc_side - stride * border_factor + offset
    coords2d = tf.convert_to_tensor(coords2d)
    return tf.reduce_all(tf.logical_and(coords2d >= lower, coords2d <= upper), axis=-1)


def affine_combination(points: Any, weights: Any) -> tf.Tensor:
    """Forms weighted sums of points, the same weights for every coordinate.

    Args:
        points: `[batch, n_in, coordinates]`.
        weights: `[n_in, n_out]`; each column sums to one, unless linear combinations are wanted.

    Returns:
        `[batch, n_out, coordinates]`.
    """
    return tf.einsum("bic,io->boc", points, tf.cast(weights, tf.convert_to_tensor(points).dtype))


def transform_points(points: Any, matrices: Any) -> tf.Tensor:
    """Multiplies every point with the matrix of its example.

    Args:
        points: `[batch, points, n]`.
        matrices: `[batch, m, n]`.

    Returns:
        `[batch, points, m]`.
    """
    points, matrices = tf.convert_to_tensor(points), tf.convert_to_tensor(matrices)
    return tf.reduce_sum(points[:, :, tf.newaxis, :] * matrices[:, tf.newaxis], axis=-1)


def invert_3x3(matrices: Any) -> tf.Tensor:
    """Inverts `[..., 3, 3]` matrices by cofactors: cheap, differentiable, the same under XLA."""
    first, second, third = tf.unstack(tf.convert_to_tensor(matrices), axis=-2)
    columns = [
        tf.linalg.cross(second, third),
        tf.linalg.cross(third, first),
        tf.linalg.cross(first, second),
    ]
    determinant = tf.reduce_sum(first * columns[0], axis=-1)
    return tf.stack(columns, axis=-1) / determinant[..., tf.newaxis, tf.newaxis]


def corner_aligned_scaling(factor: Any) -> tf.Tensor:
    """Builds `[..., 3, 3]` that scale pixel coordinates about the corner of the image.

    Pixel centres have integer coordinates, so the corner is at (-0.5, -0.5).

    Args:
        factor: `[...]`, new pixels per old pixel.
    """
    factor = tf.convert_to_tensor(factor, tf.float32)
    shift, zero, one = (factor - 1) / 2, tf.zeros_like(factor), tf.ones_like(factor)
    rows = [[factor, zero, shift], [zero, factor, shift], [zero, zero, one]]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_product(left: Any, right: Any) -> tf.Tensor:
    """Multiplies small matrices `[..., m, n]` and `[..., n, k]` in full float32 precision."""
    left, right = tf.convert_to_tensor(left), tf.convert_to_tensor(right)
    return tf.reduce_sum(left[..., tf.newaxis] * right[..., tf.newaxis, :, :], axis=-2)
