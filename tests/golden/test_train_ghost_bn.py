from __future__ import annotations

import tensorflow as tf

from metrabs.backbones.ghost_batch_norm import GhostBatchNormalization
from tests.golden.tolerances import assert_close


def test_ghost_batch_normalization_matches_the_original(golden):
    data = golden("train_ghost_bn")
    layer = GhostBatchNormalization(
        [int(size) for size in data["split"]],
        momentum=float(data["momentum"]),
        epsilon=float(data["epsilon"]),
    )
    x = tf.constant(data["x"])
    layer.build(x.shape)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    layer.set_weights([data[name] for name in names])
    # The golden inference is the one before the training call.
    assert_close(layer(x, training=False), data["out_inference"])
    assert_close(layer(x, training=True), data["out_train"])
    assert_close(layer.moving_mean, data["moving_mean_after"])
    assert_close(layer.moving_variance, data["moving_variance_after"])
