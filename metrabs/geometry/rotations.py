"""Rotation matrices of virtual cameras."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Below this sine the viewing direction counts as parallel to the up vector.
_PARALLEL_SINE = 1e-6


def look_at_rotation(forward: Any, up: Any) -> tf.Tensor:
    """Rotates a camera so that it looks along `forward` with `up` pointing up in its image.

    Where both are parallel, 'up' is meaningless and some rotation is chosen: the x axis is kept
    horizontal, perpendicular to the y axis.

    Deviation: the original returns NaN when looking exactly along its y axis with `up` parallel
    to it, and only tests for exact zeros; here the x axis is (1, 0, 0) then.

    Args:
        forward: viewing directions `[batch, 3]` in the old camera frame, any length.
        up: up vectors `[batch, 3]` (or `[1, 3]`) in the old camera frame, any length.

    Returns:
        `[batch, 3, 3]`; rows are the new axes in the old frame, so `R @ old = new`.
    """
    forward, up = tf.convert_to_tensor(forward), tf.convert_to_tensor(up)
    z = _unit(forward)
    up = tf.broadcast_to(up, tf.shape(z))
    x = tf.linalg.cross(z, up)
    limit = _PARALLEL_SINE * tf.norm(up, axis=-1, keepdims=True)
    horizontal = tf.stack([z[..., 2], tf.zeros_like(z[..., 0]), -z[..., 0]], axis=-1)
    x_axis = tf.constant([1, 0, 0], z.dtype)
    horizontal = tf.where(_length(horizontal) <= _PARALLEL_SINE, x_axis, horizontal)
    x = _unit(tf.where(_length(x) <= limit, horizontal, x))
    return tf.stack([x, tf.linalg.cross(z, x), z], axis=-2)


def rotation_about_z(angles: Any) -> tf.Tensor:
    """Builds rotations about the z axis, from x towards y.

    Args:
        angles: radians, any shape `[...]`.

    Returns:
        `[..., 3, 3]` with upper-left block [[cos, -sin], [sin, cos]].
    """
    angles = tf.convert_to_tensor(angles)
    sin, cos = tf.sin(angles), tf.cos(angles)
    zero, one = tf.zeros_like(sin), tf.ones_like(sin)
    rows = [[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def _length(vectors: tf.Tensor) -> tf.Tensor:
    return tf.norm(vectors, axis=-1, keepdims=True)


def _unit(vectors: tf.Tensor) -> tf.Tensor:
    return vectors / _length(vectors)
