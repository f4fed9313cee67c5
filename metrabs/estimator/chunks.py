"""Processing many items in chunks that fit into memory, inside a TensorFlow graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

import tensorflow as tf


def concat_over_chunks(
    function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    num_items: Any,
    chunk_size: Any,
    item_shape: Sequence[Optional[int]],
) -> tf.Tensor:
    """Concatenates `function(start, stop)` over consecutive ranges of items.

    With zero items the function is not called.

    Args:
        function: maps a range of items to float32 `[stop - start, *item_shape]`; it may also
            return several rows per item.
        num_items: Number of items.
        chunk_size: Maximum number of items per call, at least 1.
        item_shape: shape of one row of the result; known sizes, as TensorFlow needs them for the
            empty case.
    """
    num_items, chunk_size = tf.convert_to_tensor(num_items), tf.convert_to_tensor(chunk_size)
    num_chunks = (num_items + chunk_size - 1) // chunk_size
    results = tf.TensorArray(
        tf.float32, size=num_chunks, infer_shape=False, element_shape=[None, *item_shape]
    )

    def _write_chunk(i: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        start = i * chunk_size
        rows = function(start, tf.minimum(start + chunk_size, num_items))
        return i + 1, results.write(i, rows)

    _, results = tf.while_loop(
        lambda i, _: i < num_chunks, _write_chunk, [tf.constant(0), results], parallel_iterations=1
    )
    return results.concat()
