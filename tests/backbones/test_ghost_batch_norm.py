from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones.ghost_batch_norm import GhostBatchNormalization
from tests.golden.tolerances import assert_close


@pytest.fixture
def x():
    return tf.constant(np.random.default_rng(2).normal(3, 2, [4, 5, 5, 2]).astype(np.float32))


def test_each_group_is_normalised_by_itself(x):
    y = GhostBatchNormalization([1, 3], epsilon=1e-9)(x, training=True)
    for group in (y[:1], y[1:]):
        assert_close(tf.reduce_mean(group, (0, 1, 2)), np.zeros(2), atol=1e-5)
        assert_close(tf.math.reduce_std(group, (0, 1, 2)), np.ones(2), rtol=1e-4)


def test_one_group_is_ordinary_batch_normalisation(x):
    plain, ghost = tf.keras.layers.BatchNormalization(), GhostBatchNormalization([4])
    assert_close(ghost(x, training=True), plain(x, training=True))
    assert_close(ghost.moving_variance, plain.moving_variance)
    assert_close(ghost(x, training=False), plain(x, training=False))


def test_moving_statistics_advance_once_per_group(x):
    layer = GhostBatchNormalization(4, momentum=0.9)
    layer(tf.ones_like(x), training=True)
    assert_close(layer.moving_mean, np.full(2, 1 - 0.9**4), rtol=1e-5)


def test_a_training_flag_that_is_a_tensor_selects_the_mode(x):
    layer = GhostBatchNormalization([1, 3])
    layer.build(x.shape)
    apply = tf.function(lambda training: layer(x, training=training))
    assert_close(apply(tf.constant(False)), layer(x, training=False))
    assert_close(apply(tf.constant(True)), GhostBatchNormalization([1, 3])(x, training=True))


def test_frozen_layers_use_the_moving_statistics(x):
    layer = GhostBatchNormalization([1, 3])
    layer.trainable = False
    assert_close(layer(x, training=True), layer(x, training=False))


def test_half_precision_inputs_keep_their_dtype_and_statistics_are_float32(x):
    layer = GhostBatchNormalization([2, 2], dtype="mixed_float16")
    assert layer(tf.cast(x, tf.float16), training=True).dtype == tf.float16
    assert layer.moving_mean.dtype == tf.float32


def test_xla_compiles_it(x):
    layer = GhostBatchNormalization([2, 2])
    layer.build(x.shape)
    compiled = tf.function(lambda v: layer(v, training=True), jit_compile=True)
    assert_close(compiled(x), layer(x, training=True))


@pytest.mark.parametrize("sizes", [[1, 2], 3])
def test_sizes_that_do_not_fit_the_batch_are_an_error(x, sizes):
    with pytest.raises(ValueError, match="4 examples"):
        GhostBatchNormalization(sizes)(x, training=True)


def test_configuration_round_trips():
    layer = GhostBatchNormalization([1, 3], momentum=0.7)
    assert GhostBatchNormalization.from_config(layer.get_config()).group_sizes == (1, 3)
