"""Fine-tuning with two rates over a whole run, against the same written in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones.constraints import kernel_norm_constraint
from metrabs.config import Config
from metrabs.training.optimizers import build_optimizer

_NUM_STEPS = 40
_BASE_RATE = 0.02
_DECAY = 30.0
_MOMENTUM = 0.9
_SHAPE = (3, 3, 4, 5)
_NORM_LIMIT = 1.5
_CONSTRAINTS = {"backbone": kernel_norm_constraint(_NORM_LIMIT, depthwise=False), "head": None}


def _rate(step: int, is_head: bool) -> float:
    """The head's rate drops to a thirtieth halfway; the backbone's is that low from the start."""
    half = _NUM_STEPS / 2
    if is_head and step < half:
        return _BASE_RATE * (1 / 3) ** (step / half)
    share = (step - half) / half if is_head else step / _NUM_STEPS
    return _BASE_RATE / 30 * 0.3**share


def _trajectory(start: np.ndarray, gradients: np.ndarray, is_head: bool) -> Any:
    """Weights and their moving averages after every step."""
    weights, average = start.astype(np.float64), start.astype(np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    decay = _DECAY / np.sqrt(400_000) / _BASE_RATE  # whatever the length of the run
    for step, gradient in enumerate(gradients.astype(np.float64)):
        rate = _rate(step, is_head)
        weights = weights - weights * decay * rate
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        correction = np.sqrt(1 - 0.999 ** (step + 1)) / (1 - 0.9 ** (step + 1))
        weights = weights - rate * correction * first / (np.sqrt(second) + 1e-8)
        average = _MOMENTUM * average + (1 - _MOMENTUM) * weights
        if not is_head:  # the limit on kernel norms is for backbones
            norm = np.sqrt((weights**2).sum(axis=(0, 1, 2)))
            weights = weights * np.clip(norm, 0, _NORM_LIMIT) / (norm + 1e-7)
        yield weights, average


@pytest.mark.parametrize("in_graph", [False, True])
def test_weights_and_moving_averages_follow_the_numpy_trajectory(in_graph: bool) -> None:
    rng = np.random.default_rng(0)
    starts = {name: rng.normal(0, 0.2, _SHAPE).astype(np.float32) for name in _CONSTRAINTS}
    gradients = {
        name: rng.normal(0.5, 1, (_NUM_STEPS, *_SHAPE)).astype(np.float32) for name in _CONSTRAINTS
    }
    variables = {
        name: tf.Variable(
            start,
            constraint=_CONSTRAINTS[name],
            name="kernel",  # equal names must not matter
        )
        for name, start in starts.items()
    }
    settings = (
        Config()
        .replace(
            training_steps=_NUM_STEPS,
            base_learning_rate=_BASE_RATE,
            weight_decay=_DECAY,
            dual_finetune_lr=True,
            ema_momentum=_MOMENTUM,
        )
        .optimization
    )
    optimizer = build_optimizer(settings, [variables["backbone"]], [variables["head"]])

    def apply(pairs: list[tf.Tensor]) -> None:
        optimizer.apply_gradients(zip(pairs, variables.values()))

    apply = tf.function(apply) if in_graph else apply
    expected = {
        name: _trajectory(starts[name], gradients[name], name == "head") for name in _CONSTRAINTS
    }
    averages: dict[str, np.ndarray] = {}
    for step in range(_NUM_STEPS):
        apply([tf.constant(gradients[name][step]) for name in _CONSTRAINTS])
        for name, variable in variables.items():
            weights, averages[name] = next(expected[name])
            np.testing.assert_allclose(
                variable, weights, rtol=1e-4, atol=2e-6, err_msg=f"{name}, step {step}"
            )
    optimizer.swap_in_ema(list(variables.values()))
    for name, variable in variables.items():
        np.testing.assert_allclose(variable, averages[name], rtol=1e-4, atol=2e-6)
