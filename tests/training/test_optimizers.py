"""The optimizer against Keras' own Adam, and the two rates of fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.training.optimizers import DecoupledAdam, build_optimizer
from metrabs.training.schedules import finetune_high_schedule, finetune_low_schedule, main_schedule


def _settings(**settings: object) -> object:
    return Config().replace(training_steps=20, base_learning_rate=0.1, **settings).optimization


def _gradients(num_steps: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, [num_steps, 4, 3]).astype(np.float32)


def test_updates_equal_those_of_keras() -> None:
    schedule = main_schedule(0.1, 20)
    optimizers = [
        DecoupledAdam(schedule, weight_decay=0.5, epsilon=1e-8),
        tf.keras.optimizers.Adam(schedule, weight_decay=0.5, epsilon=1e-8, jit_compile=False),
    ]
    variables = [tf.Variable(tf.ones([4, 3])) for _ in optimizers]
    for gradient in _gradients(6):
        for optimizer, variable in zip(optimizers, variables):
            optimizer.apply_gradients([(tf.constant(gradient), variable)])
        np.testing.assert_allclose(variables[0], variables[1], rtol=1e-5, atol=1e-6)


def test_finetuning_gives_every_group_its_rate() -> None:
    # Equal names: groups are told apart by identity.
    backbone, head = (tf.Variable(tf.zeros([4, 3]), name="kernel") for _ in range(2))
    optimizer = build_optimizer(
        _settings(dual_finetune_lr=True, weight_decay=0.0), [backbone], [head]
    )
    low, high = finetune_low_schedule(0.1, 20), finetune_high_schedule(0.1, 20)
    for step, gradient in enumerate(_gradients(3)):
        gradient = tf.constant(np.sign(gradient))
        before = backbone.numpy(), head.numpy()
        optimizer.apply_gradients([(gradient, backbone), (gradient, head)])
        assert float(optimizer.rate_of(backbone)) == pytest.approx(float(low(step)))
        assert float(optimizer.rate_of(head)) == pytest.approx(float(high(step)))
        if step == 0:  # the first Adam update is the rate itself
            np.testing.assert_allclose(
                np.abs(backbone - before[0]), float(low(0)) * np.ones([4, 3]), rtol=1e-4
            )
            np.testing.assert_allclose(
                np.abs(head - before[1]), float(high(0)) * np.ones([4, 3]), rtol=1e-4
            )
    assert float(optimizer.learning_rate) == pytest.approx(float(low(2)))


def test_averages_replace_the_weights_only_when_asked_to() -> None:
    variable = tf.Variable([1.0])
    optimizer = build_optimizer(_settings(ema_momentum=0.5, weight_decay=0.0), [], [variable])
    optimizer.apply_gradients([(tf.constant([1.0]), variable)])
    trained = float(variable[0])
    optimizer.finalize_variable_values([variable])  # as Keras does whenever `fit` ends
    assert float(variable[0]) == trained
    optimizer.swap_in_ema([variable])
    assert float(variable[0]) == pytest.approx((1 + trained) / 2)


def test_averages_can_start_at_values_that_were_loaded_later() -> None:
    variable = tf.Variable([1.0])
    optimizer = build_optimizer(_settings(ema_momentum=0.5), [], [variable])
    variable.assign([5.0])
    optimizer.initialize_ema([variable])
    optimizer.swap_in_ema([variable])
    assert float(variable[0]) == 5
    build_optimizer(_settings(), [], [variable]).initialize_ema([variable])  # without any


def test_weight_decay_reaches_every_variable() -> None:
    kernel, bias = tf.Variable(tf.ones([4, 3])), tf.Variable(tf.ones([3]))
    optimizer = build_optimizer(_settings(weight_decay=0.3), [], [kernel, bias])
    optimizer.apply_gradients([(tf.zeros([4, 3]), kernel), (tf.zeros([3]), bias)])
    expected = 1 - 0.3 / np.sqrt(20)
    np.testing.assert_allclose(kernel, np.full([4, 3], expected), rtol=1e-5)
    np.testing.assert_allclose(bias, np.full([3], expected), rtol=1e-5)
