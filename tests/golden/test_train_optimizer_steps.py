"""Weights after steps with given gradients: decay, Adam, kernel norm limit, moving average.

The cases `accum2_*` of the file show the original gradient accumulation, which applies weight
decay and constraint on every sub-step; that is deliberately not reproduced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.training.optimizers import build_optimizer
from tests.golden.tolerances import assert_close

_NAMES = ("kernel", "bias", "depthwise")


class _NormLimit:
    """Applies the kernel norm constraint, written out for this test."""

    def __init__(self, limit: float, axes: list[int]) -> None:
        self.limit, self.axes = limit, axes

    def __call__(self, kernel: tf.Tensor) -> tf.Tensor:
        norm = tf.sqrt(tf.reduce_sum(tf.square(kernel), axis=self.axes, keepdims=True))
        return kernel * tf.clip_by_value(norm, 0, self.limit) / (norm + 1e-7)


@pytest.mark.parametrize("case", ["plain", "ema"])
@pytest.mark.parametrize("in_graph", [False, True])
def test_weights_after_each_step_match_the_original(
    golden: Callable[[str], Mapping[str, Any]], case: str, in_graph: bool
) -> None:
    data = golden("train_optimizer_steps")
    limit = float(data["max_kernel_norm"])
    variables = {
        "kernel": tf.Variable(data["kernel0"], constraint=_NormLimit(limit, [0, 1, 2])),
        "bias": tf.Variable(data["bias0"]),
        "depthwise": tf.Variable(data["depthwise0"], constraint=_NormLimit(limit, [0, 1])),
    }
    settings = Config().replace(
        training_steps=int(data["training_steps"]),
        base_learning_rate=float(data["base_learning_rate"]),
        weight_decay=float(data["weight_decay_flag"]),
        ema_momentum=float(data["ema_momentum"]) if case == "ema" else 1.0,
    )
    optimizer = build_optimizer(settings.optimization, [], [variables[name] for name in _NAMES])

    def apply(gradients: list[tf.Tensor]) -> None:
        optimizer.apply_gradients(zip(gradients, (variables[name] for name in _NAMES)))

    apply = tf.function(apply) if in_graph else apply
    for step in range(1, len(data["grads_kernel"]) + 1):
        apply([tf.constant(data[f"grads_{name}"][step - 1]) for name in _NAMES])
        for name in _NAMES:
            if f"{case}_step{step}_{name}" in data:
                assert_close(variables[name], data[f"{case}_step{step}_{name}"], rtol=1e-5)
    assert optimizer.iterations.numpy() == data[f"{case}_iterations"]
    optimizer.swap_in_ema(list(variables.values()))
    for name in _NAMES:
        if f"{case}_final_{name}" in data:
            assert_close(variables[name], data[f"{case}_final_{name}"], rtol=1e-5)
