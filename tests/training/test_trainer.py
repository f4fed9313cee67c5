"""The training step on a tiny network and random batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.loading.pipeline import training_batches
from metrabs.models.build import build_crop_model
from metrabs.models.description import ModelDescription
from metrabs.training.train import build_trainer
from metrabs.training.trainer import Trainer
from tests.training.tiny import JOINTS_2D, JOINTS_3D, tiny_config

_INPUTS = ("image", "intrinsics", "coords3d_true", "coords2d_true", "joint_validity_mask")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return tiny_config(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def batch(config: Config) -> dict[str, tf.Tensor]:
    datasets = [open_dataset(config.data.dataset3d), open_dataset(config.data.dataset2d)]
    arrays = next(training_batches(*datasets, config, 0, 1))
    names = [n for n in arrays if n in _INPUTS or (n.endswith("_2d") and "path" not in n)]
    return {name: tf.constant(arrays[name]) for name in names}


def _trainer(config: Config, model_config: Optional[Config] = None, **settings: Any) -> Trainer:
    tf.keras.utils.set_random_seed(0)
    tf.keras.backend.experimental.enable_tf_random_generator()
    # By default the model is in float32, so that the precision does not blur comparisons.
    model = build_crop_model(ModelDescription(model_config or config, JOINTS_3D))
    return build_trainer(config.replace(**settings), model, JOINTS_2D.names)


def _weights(trainer: Trainer) -> list[np.ndarray]:
    return [
        variable.numpy() for variable in trainer.crop_model.weights if variable.dtype.is_floating
    ]


def _loss_of_frozen(
    config: Config, batch: dict[str, tf.Tensor], in_inference_mode: bool = False, **settings: Any
) -> Callable[[int], float]:
    """Returns the loss as a function of the step, of a trainer that does not learn."""
    trainer = _trainer(config, base_learning_rate=1e-20, weight_decay=0.0, **settings)
    if in_inference_mode:
        trainer.enter_inference_mode()
    train_step = tf.function(trainer.train_step)

    def loss_at(step: int) -> float:
        trainer.set_step(step)
        return float(train_step(batch)["loss"])

    return loss_at


@pytest.mark.parametrize("xla", ["heads", pytest.param("full", marks=pytest.mark.slow)])
def test_what_xla_compiles_does_not_change_the_step(config: Config, batch: Any, xla: str) -> None:
    # In training mode, with batch statistics and random shares of the 3D head. Without dropout:
    # XLA makes other random numbers of the same state.
    trainers = [_trainer(config, xla=mode) for mode in ("off", xla)]
    for trainer in trainers:
        trainer.crop_model.backbone.layers[-1].rate = 0
    logs = [tf.function(trainer.train_step)(batch) for trainer in trainers]
    assert set(logs[0]) == set(logs[1])
    for name in logs[0]:
        np.testing.assert_allclose(logs[0][name], logs[1][name], rtol=1e-4, err_msg=name)
    variables = [trainer.crop_model.trainable_variables for trainer in trainers]
    for plain, compiled in zip(*variables):
        # A bias before batch normalisation or of a whole heatmap has a gradient of nothing but
        # rounding errors, which Adam blows up.
        if "bias" not in plain.name:
            np.testing.assert_allclose(plain, compiled, atol=1e-3, err_msg=plain.name)


def test_dropout_has_fresh_numbers_in_every_step(config: Config) -> None:
    trainer = _trainer(config)
    dropout = trainer.crop_model.backbone.layers[-1]
    ones = tf.ones([1, 4096])

    def dropped_in_step(step: int) -> np.ndarray:
        trainer.set_step(step)
        trainer._reset_random_generators()
        return dropout(ones, training=True).numpy()[0] == 0

    masks = [dropped_in_step(step) for step in range(3)]
    np.testing.assert_array_equal(masks[0], dropped_in_step(0))
    # Not even shifted versions of each other: independent masks of rate 0.2 differ in 32 %.
    for shift in range(16):
        assert 0.25 < np.mean(np.roll(masks[0], shift) != masks[1]) < 0.39


def _step_in_precision(
    config: Config, batch: Any, **settings: Any
) -> tuple[dict[str, tf.Tensor], list[np.ndarray], list[np.ndarray]]:
    """Returns logs, predicted coordinates and gradients of a step that makes no update."""
    precision = config.replace(**settings)
    trainer = _trainer(precision, model_config=precision)
    trainer.enter_inference_mode()  # nothing random
    gradients: list[np.ndarray] = []
    trainer.optimizer.apply_gradients = lambda pairs, **_: gradients.extend(
        gradient.numpy() for gradient, _ in pairs
    )
    logs = trainer.train_step(batch)
    model = trainer.crop_model
    image = tf.cast(batch["image"], tf.float32) / 255
    features, *coords = model.backbone_and_head(image)
    assert features.dtype == precision.model.dtype
    assert {c.dtype for c in coords} == {tf.float32}
    assert {variable.dtype for variable in model.trainable_variables} == {tf.float32}
    return logs, [c.numpy() for c in coords], gradients


@pytest.mark.parametrize(
    "settings, relative_tolerance",
    [
        # 10 and 7 bits of mantissa; results pass through a few roundings.
        ({"dtype": "float16"}, 4e-3),
        pytest.param(
            {"dtype": "float16", "dynamic_loss_scale": True}, 4e-3, marks=pytest.mark.slow
        ),
        ({"dtype": "bfloat16"}, 3e-2),
    ],
)
def test_16_bit_steps_agree_with_float32(
    config: Config, batch: Any, settings: dict[str, Any], relative_tolerance: float
) -> None:
    logs32, coords32, gradients32 = _step_in_precision(config, batch)
    logs, coords, gradients = _step_in_precision(config, batch, **settings)
    for name in ("loss", "loss_3dbatch", "loss_2dbatch", "mean_error"):
        np.testing.assert_allclose(logs[name], logs32[name], rtol=relative_tolerance, err_msg=name)
    for actual, expected in zip(coords, coords32):  # pixels of 64, mm of 2200
        np.testing.assert_allclose(actual, expected, atol=relative_tolerance * np.ptp(expected))
    flat32, flat = (np.concatenate([g.ravel() for g in gs]) for gs in (gradients32, gradients))
    cosine = flat @ flat32 / np.linalg.norm(flat) / np.linalg.norm(flat32)
    assert cosine > 1 - relative_tolerance
    assert np.linalg.norm(flat) == pytest.approx(
        np.linalg.norm(flat32), rel=2 * relative_tolerance
    )


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", pytest.param("bfloat16", marks=pytest.mark.slow)]
)
def test_training_on_one_batch_reduces_the_error(config: Config, batch: Any, dtype: str) -> None:
    config = config.replace(dtype=dtype)
    trainer = _trainer(
        config, config, training_steps=100, weak_perspective_steps=0, absloss_start_step=10**6
    )
    trainer.enter_inference_mode()  # nothing random
    step = tf.function(trainer.train_step)
    logs = [step(batch) for _ in range(40)]
    for name in ("mean_error", "loss"):
        values = [float(entry[name]) for entry in logs]
        assert np.mean(values[-10:]) < 0.95 * values[0], name
    assert trainer.step.numpy() == trainer.optimizer.iterations.numpy() == 40


def test_random_numbers_follow_from_seed_and_step(config: Config, batch: Any) -> None:
    loss_at = _loss_of_frozen(config, batch)
    assert loss_at(7) == loss_at(7)
    assert loss_at(7) != loss_at(8)
    assert loss_at(7) != _loss_of_frozen(config, batch, seed=2)(7)


def test_inference_mode_freezes_statistics_and_draws_nothing(config: Config, batch: Any) -> None:
    trainer = _trainer(config, weak_perspective_steps=0)
    trainer.enter_inference_mode()
    statistics = trainer.crop_model.backbone.non_trainable_weights
    before = [variable.numpy() for variable in statistics]
    trainer.set_step(10)
    trainer.train_step(batch)
    assert len(before) >= 2
    for value, variable in zip(before, statistics):
        np.testing.assert_array_equal(value, variable)
    loss_at = _loss_of_frozen(config, batch, in_inference_mode=True, weak_perspective_steps=0)
    assert loss_at(7) == loss_at(8)


def test_early_steps_reconstruct_by_weak_perspective(config: Config, batch: Any) -> None:
    loss_at = _loss_of_frozen(config, batch, in_inference_mode=True, weak_perspective_steps=3)
    assert loss_at(1) == loss_at(2) != loss_at(3)
    assert loss_at(3) == loss_at(4)


def test_loss_scale_of_float16_does_not_change_the_step(config: Config, batch: Any) -> None:
    settings: list[dict[str, Any]] = [{}, {"dtype": "float16", "loss_scale": 128.0}]
    logs = [tf.function(_trainer(config, **changes).train_step)(batch) for changes in settings]
    np.testing.assert_allclose(logs[0]["loss"], logs[1]["loss"], rtol=1e-6)
    np.testing.assert_allclose(logs[0]["gradient_norm"], logs[1]["gradient_norm"], rtol=1e-4)


def _weights_after_a_step(config: Config, batch: Any, **settings: Any) -> Any:
    trainer = _trainer(config, ema_momentum=0.9, weight_decay=1.0, **settings)
    trainer.enter_inference_mode()  # nothing random, no statistics of parts of batches
    logs = tf.function(trainer.train_step)(batch)
    trainer.optimizer.swap_in_ema(trainer.crop_model.trainable_variables)
    return logs, _weights(trainer)


@pytest.mark.parametrize("xla", ["off", pytest.param("heads", marks=pytest.mark.slow)])
def test_accumulation_does_not_change_the_step(config: Config, batch: Any, xla: str) -> None:
    # Every example three times, so that means over parts are means over the batch.
    tripled = {name: tf.repeat(value, 3, axis=0) for name, value in batch.items()}
    at_once, in_parts = (
        _weights_after_a_step(config, tripled, grad_accum_steps=n, xla=xla) for n in (1, 3)
    )
    assert set(at_once[0]) == set(in_parts[0])
    for name in at_once[0]:
        np.testing.assert_allclose(at_once[0][name], in_parts[0][name], rtol=1e-4, err_msg=name)
    for expected, actual in zip(at_once[1], in_parts[1]):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_overflow_skips_the_step_and_halves_a_dynamic_loss_scale(
    config: Config, batch: Any
) -> None:
    trainer = _trainer(config, dtype="float16", dynamic_loss_scale=True, loss_scale=3e38)
    before = _weights(trainer)
    step = tf.function(trainer.train_step)
    logs = step(batch)
    assert not np.isfinite(logs["gradient_norm"])
    assert float(logs["loss_scale"]) == pytest.approx(1.5e38)
    assert trainer.step.numpy() == 1 and trainer.optimizer.iterations.numpy() == 0
    for old, variable in zip(before, trainer.crop_model.trainable_variables):
        assert np.isfinite(old).all() and np.isfinite(variable).all()
    trainer.loss_scale.value.assign(128)
    kernel = trainer.crop_model.heatmap_heads.conv.kernel
    old_kernel = kernel.numpy()
    assert step(batch)["loss_scale"] == 128
    assert trainer.optimizer.iterations.numpy() == 1
    assert np.any(kernel.numpy() != old_kernel)


@pytest.mark.slow
def test_a_dynamic_loss_scale_does_not_change_the_step(config: Config, batch: Any) -> None:
    settings: list[dict[str, Any]] = [{}, {"dtype": "float16", "dynamic_loss_scale": True}]
    results = [_weights_after_a_step(config, batch, **changes) for changes in settings]
    for expected, actual in zip(results[0][1], results[1][1]):
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_batches_without_2d_examples_work(config: Config, batch: Any) -> None:
    only_3d = {name: value for name, value in batch.items() if not name.endswith("_2d")}
    logs = _trainer(config).train_step(only_3d)
    assert np.isfinite(logs["loss"])
    assert "loss_2dbatch" not in logs


def test_backbone_and_head_get_their_own_rates(config: Config) -> None:
    trainer = _trainer(config, dual_finetune_lr=True)
    head, optimizer = trainer.crop_model.heatmap_heads.conv.kernel, trainer.optimizer
    backbone = trainer.crop_model.backbone.trainable_variables
    assert {float(optimizer.rate_of(v)) for v in backbone} == {float(optimizer.learning_rate)}
    assert float(optimizer.rate_of(head)) == pytest.approx(30 * float(optimizer.learning_rate))
