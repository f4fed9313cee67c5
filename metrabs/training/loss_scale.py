"""Loss scaling: keeps small gradients of float16 training from vanishing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import tensorflow as tf

_NUM_STEPS_OF_GROWTH = 2000  # finite steps until the scale is doubled, as in Keras
Gradients = Sequence[Optional[tf.Tensor]]


class StaticLossScale(tf.Module):
    """A constant loss scale.

    Args:
        scale: Factor; 1 changes nothing.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._factor = scale

    def scale(self, loss: tf.Tensor) -> tf.Tensor:
        """Multiplies the loss, before gradients are computed."""
        return loss if self._factor == 1 else loss * self._factor

    def unscale(self, gradients: Gradients) -> list[Optional[tf.Tensor]]:
        """Divides the gradients of the scaled loss."""
        if self._factor == 1:
            return list(gradients)
        return [None if g is None else g / self._factor for g in gradients]


class DynamicLossScale(tf.Module):
    """A loss scale that is halved when gradients overflow, and doubled after many finite steps.

    The rules are those of Keras' `LossScaleOptimizer`, which the original implementation uses. The
    scale is part of the state of a run.

    Args:
        initial_scale: Scale of the first step.

    Attributes:
        value: Float32 variable, the current scale, at least 1.
    """

    def __init__(self, initial_scale: float) -> None:
        super().__init__()
        self.value = tf.Variable(initial_scale, trainable=False, name="loss_scale")
        self.num_finite_steps = tf.Variable(0, dtype=tf.int64, trainable=False)

    def scale(self, loss: tf.Tensor) -> tf.Tensor:
        """Multiplies the loss, before gradients are computed."""
        return loss * self.value

    def unscale(self, gradients: Gradients) -> list[Optional[tf.Tensor]]:
        """Divides the gradients of the scaled loss."""
        return [None if g is None else g / self.value for g in gradients]

    def update(self, is_finite: tf.Tensor) -> None:
        """Adapts the scale, given whether the gradients of a step were finite."""
        num_finite = tf.where(is_finite, self.num_finite_steps + 1, tf.zeros([], tf.int64))
        grows = num_finite >= _NUM_STEPS_OF_GROWTH
        doubled = self.value * 2
        # A scale beyond the range of float32 would never become finite again.
        grown = tf.where(grows & tf.math.is_finite(doubled), doubled, self.value)
        self.value.assign(tf.where(is_finite, grown, tf.maximum(self.value / 2, 1)))
        self.num_finite_steps.assign(tf.where(grows, tf.zeros_like(num_finite), num_finite))
