"""Gradient accumulation: a batch is worked through in parts, so that each needs less memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

Batch = Mapping[str, tf.Tensor]


def accumulate_over_microbatches(
    function: Callable[[Batch], Any], batch: Batch, num_parts: int, is_unrolled: bool = False
) -> Any:
    """Applies a function to equal parts of a batch, one after the other, and averages.

    Part i has every `num_parts`-th example from the i-th on, so that the sections of a batch are
    spread evenly.

    Args:
        function: of a batch; returns any nest of float tensors and Nones.
        batch: tensors whose first axes, with static sizes, are divisible by `num_parts`.
        num_parts: number of parts; with one, the function is simply called.
        is_unrolled: make a graph of all parts instead of a loop, in which replicas could not
            exchange anything.

    Returns:
        The mean of what the function returns.
    """
    if num_parts == 1:
        return function(batch)
    shares = {
        name: tf.reshape(value, [value.shape[0] // num_parts, num_parts, *value.shape[1:]])
        for name, value in batch.items()
    }

    def _outputs_of(index: tf.Tensor) -> list[Any]:
        part = {name: tf.gather(share, index, axis=1) for name, share in shares.items()}
        return tf.nest.flatten(function(part))

    def _add_part(index: tf.Tensor, totals: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs = [output for output in _outputs_of(index) if output is not None]
        totals = [total + output for total, output in zip(totals, outputs)]
        # The next part must not begin, and take its memory, before this one is complete.
        with tf.control_dependencies(totals):
            return index + 1, totals

    # The first part, outside of the loop, tells what the function returns.
    structure = function({name: share[:, 0] for name, share in shares.items()})
    first = tf.nest.flatten(structure)
    totals = [output for output in first if output is not None]
    with tf.control_dependencies(totals):
        index = tf.constant(1)
    if is_unrolled:
        for _ in range(1, num_parts):
            with tf.control_dependencies([index]):
                index, totals = _add_part(index, totals)
    else:
        _, totals = tf.while_loop(
            lambda index, _: index < num_parts, _add_part, [index, totals], parallel_iterations=1
        )
    remaining = iter(totals)
    means = [None if output is None else next(remaining) / num_parts for output in first]
    return tf.nest.pack_sequence_as(structure, means)
