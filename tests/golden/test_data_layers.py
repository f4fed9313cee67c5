from __future__ import annotations

import tensorflow as tf

from metrabs.backbones.constraints import kernel_norm_constraint
from metrabs.backbones.ghost_batch_norm import GhostBatchNormalization
from tests.golden.tolerances import assert_close


def group_sizes(case: str):
    """Returns [2, 4, 2] for 'split_2_4_2', equal groups for 'split_int4' and 'split_1'."""
    parts = case.split("_")[1:]
    if parts[0].startswith("int"):
        return int(parts[0][len("int") :])
    return [int(part) for part in parts] if len(parts) > 1 else int(parts[0])


def test_ghost_batch_normalization_matches_the_original(golden):
    data = golden("data_layers")
    cases = sorted({key.split("/")[0] for key in data if key.startswith("split_")})
    assert cases
    x = tf.constant(data["x"])
    for case in cases:
        layer = GhostBatchNormalization(group_sizes(case), momentum=0.9, epsilon=1e-3)
        layer.build(x.shape)
        layer.gamma.assign(data["gamma"])
        layer.beta.assign(data["beta"])
        assert_close(layer(x, training=True), data[f"{case}/y_train"])
        assert_close(layer.moving_mean, data[f"{case}/moving_mean"])
        assert_close(layer.moving_variance, data[f"{case}/moving_var"])
        layer(x, training=True)
        assert_close(layer.moving_mean, data[f"{case}/moving_mean2"])
        assert_close(layer.moving_variance, data[f"{case}/moving_var2"])
        assert_close(layer(x, training=False), data[f"{case}/y_infer"])


def test_kernel_norm_limits_match_the_original(golden):
    data = golden("data_layers")
    for name, depthwise in (("kern", False), ("dw", True)):
        constrained = kernel_norm_constraint(20.0, depthwise)(tf.constant(data[name]))
        assert_close(constrained, data[f"{name}_constrained"])
