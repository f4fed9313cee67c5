"""Gradient accumulation: a batch is processed in microbatches, which need less memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

Batch = Mapping[str, tf.Tensor]


def accumulate_over_microbatches(
    function: Callable[[Batch], Any],
    batch: Batch,
    num_microbatches: int,
    is_unrolled: bool = False,
) -> Any:
    """Applies a function to equal microbatches, one after the other, and averages the results.

    Microbatch i has every `num_microbatches`-th example from the i-th on, so that the sections of
    a batch are spread evenly.

    Args:
        function: Function of a batch; returns any nest of float tensors and Nones.
        batch: Tensors whose first axes, with static sizes, are divisible by `num_microbatches`.
        num_microbatches: Number of microbatches; with one, the function is simply called.
        is_unrolled: Whether to unroll the loop; replicas cannot exchange tensors in a loop.

    Returns:
        Mean of the results of the function.
    """
    if num_microbatches == 1:
        return function(batch)
    interleaved = {
        name: tf.reshape(
            value, [value.shape[0] // num_microbatches, num_microbatches, *value.shape[1:]]
        )
        for name, value in batch.items()
    }

    def _outputs_of(index: tf.Tensor) -> list[Any]:
        microbatch = {name: tf.gather(value, index, axis=1) for name, value in interleaved.items()}
        return tf.nest.flatten(function(microbatch))

    def _add_microbatch(
        index: tf.Tensor, totals: list[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs = [output for output in _outputs_of(index) if output is not None]
        totals = [total + output for total, output in zip(totals, outputs)]
        # The next microbatch must not start, and allocate memory, before this one is complete.
        with tf.control_dependencies(totals):
            return index + 1, totals

    # The first microbatch, outside of the loop, determines the structure of the result.
    structure = function({name: value[:, 0] for name, value in interleaved.items()})
    first = tf.nest.flatten(structure)
    totals = [output for output in first if output is not None]
    with tf.control_dependencies(totals):
        index = tf.constant(1)
    if is_unrolled:
        for _ in range(1, num_microbatches):
            with tf.control_dependencies([index]):
                index, totals = _add_microbatch(index, totals)
    else:
        _, totals = tf.while_loop(
            lambda index, _: index < num_microbatches,
            _add_microbatch,
            [index, totals],
            parallel_iterations=1,
        )
    remaining = iter(totals)
    means = [None if output is None else next(remaining) / num_microbatches for output in first]
    return tf.nest.pack_sequence_as(structure, means)
