"""The views of one person that a prediction averages: rotated, scaled, flipped, re-exposed.

The parameters depend only on the number of views, nothing is random (original; paper,
"test-time augmentation"). A single view is not neutral: gamma 0.8 and 5 % magnification belong to
the published numbers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import tensorflow as tf

from metrabs.errors import unknown_name_error
from metrabs.geometry.rotations import rotation_about_z

ROTATION_MODES = ("normal", "full", "half_full")

_GAMMA_RANGE = (0.6, 1.0)
_SCALES_DOWN = (0.8, 1.0)
_SCALES_UP = (1.0, 1.1)


class Augmentations(NamedTuple):
    """Parameters of A views.

    Attributes:
        gammas: `[A]`, exponents of the crop relative to the usual gamma encoding.
        rotflips: `[A, 3, 3]`, applied to the axes of the crop camera; mirrored views have det -1.
        scales: `[A]`, magnification.
        is_flipped: bool `[A]`.
    """

    gammas: tf.Tensor
    rotflips: tf.Tensor
    scales: tf.Tensor
    is_flipped: tf.Tensor


def make_augmentations(
    num_aug: Any, rotation_degrees: float = 25.0, rotation_mode: str = "normal"
) -> Augmentations:
    """Returns the parameters of `num_aug` views.

    Args:
        num_aug: number of views, an integer or int32 scalar tensor, at least 1.
        rotation_degrees: largest in-plane rotation to either side.
        rotation_mode: 'normal'; 'full' spreads the views over the whole circle; 'half_full' does
            so for the second half of them.

    Raises:
        UserError: unknown rotation mode.
    """
    num_aug = tf.convert_to_tensor(num_aug)
    is_flipped = (tf.range(num_aug) - num_aug // 2) % 2 != 0
    num_down = num_aug // 2
    scales = tf.concat(
        [linspace_open(*_SCALES_DOWN, num_down), linspace_closed(*_SCALES_UP, num_aug - num_down)],
        axis=0,
    )
    # Negative: the original turns the axes of the camera, not the points in front of it.
    rotations = rotation_about_z(-_angles(num_aug, math.radians(rotation_degrees), rotation_mode))
    flip_sign = tf.where(is_flipped, -1.0, 1.0)
    signs = tf.stack([flip_sign, tf.ones_like(flip_sign), tf.ones_like(flip_sign)], axis=-1)
    return Augmentations(
        gammas=linspace_closed(*_GAMMA_RANGE, num_aug),
        rotflips=signs[:, :, tf.newaxis] * rotations,
        scales=scales,
        is_flipped=is_flipped,
    )


def linspace_closed(start: Any, stop: Any, num: Any) -> tf.Tensor:
    """Returns `num` float32 values from start to stop inclusive; a single one is the middle."""
    num = tf.convert_to_tensor(num)
    steps = tf.cast(tf.range(num), tf.float32) / tf.cast(tf.maximum(num - 1, 1), tf.float32)
    return start + (stop - start) * tf.where(num == 1, 0.5, steps)


def linspace_open(start: float, stop: float, num: Any) -> tf.Tensor:
    """Returns `num` float32 values from start in equal steps that would next reach stop."""
    num = tf.convert_to_tensor(num)
    return start + (stop - start) * tf.cast(tf.range(num), tf.float32) / tf.cast(num, tf.float32)


def _angles(num_aug: tf.Tensor, max_angle: float, rotation_mode: str) -> tf.Tensor:
    if rotation_mode == "normal":
        return linspace_closed(-max_angle, max_angle, num_aug)
    if rotation_mode == "full":
        return _full_circle(num_aug)
    if rotation_mode == "half_full":
        num_small = num_aug // 2
        small = linspace_closed(-max_angle, max_angle, num_small)
        return tf.sort(tf.concat([small, _full_circle(num_aug - num_small)], axis=0))
    raise unknown_name_error("rotation mode", rotation_mode, ROTATION_MODES)


def _full_circle(num: tf.Tensor) -> tf.Tensor:
    """Returns equally spaced angles that do not meet at +-180 degrees."""
    end = math.pi * (1 - 1 / tf.cast(num, tf.float32))
    return linspace_closed(-end, end, num)
