"""Working through a batch in parts, by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from metrabs.training.accumulation import accumulate_over_microbatches

BATCH = {"a": tf.reshape(tf.range(12.0), [6, 2]), "b": tf.range(6.0)}


def outputs_of(batch: Any) -> Any:
    """A nest with a hole, as gradients of a partly unused network are."""
    return {"sum": tf.reduce_sum(batch["a"]), "rest": [None, batch["b"] ** 2]}


@pytest.mark.parametrize("in_graph", [False, True])
def test_outputs_are_averaged_over_interleaved_microbatches(in_graph: bool) -> None:
    def compute() -> Any:
        return accumulate_over_microbatches(outputs_of, BATCH, 3)

    mean = tf.function(compute)() if in_graph else compute()
    assert float(mean["sum"]) == 66 / 3
    assert mean["rest"][0] is None
    # Parts are (0, 3), (1, 4) and (2, 5).
    np.testing.assert_allclose(mean["rest"][1], [(0 + 1 + 4) / 3, (9 + 16 + 25) / 3])


def test_single_microbatch_is_the_batch() -> None:
    assert accumulate_over_microbatches(lambda batch: batch, BATCH, 1) is BATCH


def test_microbatches_are_processed_sequentially() -> None:
    order = tf.Variable(tf.zeros([0], tf.int32), shape=[None])

    def note(batch: Any) -> tf.Tensor:
        first = tf.cast(batch["b"][0], tf.int32)
        order.assign(tf.concat([order, [first]], axis=0))
        return tf.reduce_sum(batch["b"])

    tf.function(lambda: accumulate_over_microbatches(note, BATCH, 6))()
    assert order.numpy().tolist() == [0, 1, 2, 3, 4, 5]
