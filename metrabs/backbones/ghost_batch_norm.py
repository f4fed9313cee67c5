"""Batch normalisation over groups of a batch: large batches behave like small ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional, Union

import tensorflow as tf


class GhostBatchNormalization(tf.keras.layers.BatchNormalization):
    """Normalises each group of examples by its own statistics in training.

    The moving statistics are updated group after group, so that one step of g groups leaves
    `momentum ** g` of the old value. At test time it is ordinary batch normalisation, and its
    weights are the same (Hoffer et al., 2017; order of updates as in the original).

    Args:
        group_sizes: examples per group, in batch order, summing to the batch size; or one number:
            that many equal groups.
    """

    def __init__(self, group_sizes: Union[int, Sequence[int]] = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.group_sizes = group_sizes if isinstance(group_sizes, int) else tuple(group_sizes)

    def call(
        self, inputs: tf.Tensor, mask: Any = None, training: Optional[Any] = None
    ) -> tf.Tensor:
        """Normalises each group of the batch on its own in training."""
        training = tf.keras.backend.learning_phase() if training is None else training
        if not self.trainable:
            training = False
        if not tf.is_tensor(training):
            return self._by_groups(inputs) if training else super().call(inputs, training=False)
        return tf.cond(
            tf.cast(training, tf.bool),
            lambda: self._by_groups(inputs),
            lambda: super(GhostBatchNormalization, self).call(inputs, training=False),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "group_sizes": self.group_sizes}

    def _by_groups(self, inputs: tf.Tensor) -> tf.Tensor:
        self._check_batch_size(inputs.shape[0])
        sizes = self.group_sizes
        groups = tf.split(inputs, sizes if isinstance(sizes, int) else list(sizes), axis=0)
        normalized = [super(GhostBatchNormalization, self).call(g, training=True) for g in groups]
        output = tf.concat(normalized, axis=0)
        output.set_shape(inputs.shape)
        return output

    def _check_batch_size(self, batch_size: Optional[int]) -> None:
        """Dynamic batch sizes are left to the check of the split operation itself."""
        sizes = self.group_sizes
        if batch_size is None:
            return
        if isinstance(sizes, int):
            if batch_size % sizes:
                raise ValueError(f"{batch_size} examples cannot form {sizes} equal ghost groups.")
        elif sum(sizes) != batch_size:
            raise ValueError(
                f"The ghost batch sizes {list(sizes)} sum to {sum(sizes)}, but the batch has "
                f"{batch_size} examples (3D and 2D ones together)."
            )
