"""Choosing the output format by name inside the graph."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.input_checks import require
from metrabs.skeletons.tables import Skeleton

_FILLER = -1


def check_skeletons(skeletons: Mapping[str, Skeleton], num_joints: int) -> None:
    """Makes sure that the skeletons fit a model with `num_joints` outputs.

    Raises:
        UserError: a skeleton has no joints or refers to joints that the model does not have, or
            none is named ''.
    """
    if "" not in skeletons:
        raise UserError(
            "The skeletons hold no entry named '', which is the default of the exported "
            "functions; add one with all joints."
        )
    for name, skeleton in skeletons.items():
        indices = list(skeleton.indices)
        if not indices or min(indices) < 0 or max(indices) >= num_joints:
            raise UserError(
                f"Skeleton '{name}' must have at least one joint and refer to joints "
                f"0..{num_joints - 1} of the model."
            )


def build_index_table(skeletons: Mapping[str, Skeleton]) -> tf.lookup.experimental.DenseHashTable:
    """Builds the table skeleton name -> int32 row of joint indices, filled up with -1."""
    length = max(len(skeleton.indices) for skeleton in skeletons.values())
    rows = [
        np.pad(skeleton.indices, [0, length - len(skeleton.indices)], constant_values=_FILLER)
        for skeleton in skeletons.values()
    ]
    table = tf.lookup.experimental.DenseHashTable(
        key_dtype=tf.string,
        value_dtype=tf.int32,
        default_value=np.full([length], _FILLER, np.int32),
        empty_key="<EMPTY_SENTINEL>",
        deleted_key="<DELETE_SENTINEL>",
        # All buckets are stored in the export; the default is a hundred thousand of them.
        initial_num_buckets=2 ** math.ceil(math.log2(2 * len(skeletons) + 2)),
    )
    table.insert(tf.constant(list(skeletons)), tf.constant(np.array(rows, np.int32)))
    return table


def look_up_joints(
    table: tf.lookup.experimental.DenseHashTable, name: tf.Tensor, known_names: list[str]
) -> tf.Tensor:
    """Returns the int32 indices of a skeleton's joints.

    Raises:
        tf.errors.InvalidArgumentError: the name is unknown. Deviation: the original returns poses
            without joints then.
    """
    row = tf.reshape(table.lookup(name), [-1])
    known = ", ".join(known_name or "the empty name" for known_name in sorted(known_names))
    check = require(row[0] >= 0, "Unknown skeleton name:", name, f"Known: {known}.")
    with tf.control_dependencies([check] if check is not None else []):
        return tf.boolean_mask(row, row >= 0)
