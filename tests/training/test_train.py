"""Whole runs on a tiny dataset: files, resuming, signals, bad losses, fine-tuning."""

from __future__ import annotations

import json
import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism  # has no public name

from metrabs.acae.weights_file import AffineWeights, save_affine_weights
from metrabs.config import Config
from metrabs.errors import Interrupted, UserError
from metrabs.training import fit, loss_scale
from metrabs.training import train as train_module
from metrabs.training.callbacks import read_history
from metrabs.training.checkpoints import find_checkpoint, latest_checkpoint
from metrabs.training.export import export_crop_model
from metrabs.training.model_loading import load_crop_model
from metrabs.training.prediction import predict
from metrabs.training.train import train
from metrabs.training.trainer import NonFiniteLossError, Trainer
from tests.training.tiny import JOINTS_3D, build_tiny_backbone, tiny_config


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A complete run with everything switched on."""
    config = tiny_config(
        tmp_path_factory.mktemp("finished"),
        validate_period=3,
        checkpoint_period=1,
        finetune_in_inference_mode=3,
        dtype="float16",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("metrabs.models.build.build_backbone", build_tiny_backbone)
        assert train(config).name == "ckpt-4"
    return config


def _folder(config: Config) -> pathlib.Path:
    return pathlib.Path(config.run.logdir)


def _state(checkpoint: pathlib.Path) -> dict[str, np.ndarray]:
    """All variables of a checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(checkpoint))
    names = [n for n in reader.get_variable_to_shape_map() if "OBJECT_GRAPH" not in n]
    return {name: reader.get_tensor(name) for name in names}


def test_last_two_and_the_permanent_checkpoint_stay(finished_run: Config) -> None:
    numbers = sorted(path.stem for path in _folder(finished_run).glob("ckpt-*.index"))
    # Step 1 is the last one before the switch to inference mode.
    assert numbers == ["ckpt-1", "ckpt-3", "ckpt-4"]
    assert latest_checkpoint(_folder(finished_run)).name == "ckpt-4"


def test_history_has_losses_speed_and_validation(finished_run: Config) -> None:
    rows = read_history(_folder(finished_run))
    training = [row for row in rows if "loss" in row]
    assert [row["step"] for row in training] == [1, 2, 3, 4]
    assert {"loss_3dbatch", "loss_2dbatch", "mean_error", "learning_rate", "step_per_sec"} <= set(
        training[0]
    )
    validation = [row for row in rows if "val_mean_error" in row]
    assert [row["step"] for row in validation] == [3]
    assert {"val_mean_error_2d", "val_mean_auc", "val_ncps"} <= set(validation[0])
    assert validation[0]["val_mean_error_procrustes"] <= validation[0]["val_mean_error"] + 1e-3
    assert list(_folder(finished_run).glob("tensorboard/events*"))


def test_float16_falls_back_to_float32_without_a_gpu(finished_run: Config) -> None:
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("there is a GPU")
    stored = json.loads((_folder(finished_run) / "config.json").read_text())
    assert stored["dtype"] == "float32"


def test_complete_run_ends_at_once(
    finished_run: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        train_module, "build_crop_model", lambda *args: pytest.fail("model was built")
    )
    with caplog.at_level("INFO"):
        assert train(finished_run).name == "ckpt-4"
    assert "already complete" in caplog.text


def test_other_model_in_the_same_folder_is_an_error(finished_run: Config) -> None:
    with pytest.raises(UserError, match="depth was 4, is 8"):
        train(finished_run.replace(depth=8, training_steps=9))


def test_predictions_file_has_all_fields(finished_run: Config) -> None:
    path = predict(finished_run)
    assert path == _folder(finished_run) / "predictions_tiny3d.npz"
    with np.load(path) as file:
        assert file["coords3d_pred_cam"].shape == (5, JOINTS_3D.num_joints, 3)
        assert file["coords3d_true_world"].shape == (5, JOINTS_3D.num_joints, 3)
        assert file["joint_names"].tolist() == list(JOINTS_3D.names)
        names = [os.path.basename(path) for path in file["image_path"]]
        assert names == [f"3d_{i}.jpg" for i in range(5)]


@pytest.mark.slow
def test_mirrored_prediction_of_a_chosen_skeleton(finished_run: Config) -> None:
    settings = dict(test_time_mirror_aug=True, pred_path="mirrored.npz", test_on="valid")
    with np.load(predict(finished_run.replace(**settings))) as file:
        assert np.isfinite(file["coords3d_pred_cam"]).all()
        assert len(file["coords3d_pred_cam"]) == 3


def test_export_predicts_like_the_checkpoint(finished_run: Config) -> None:
    exported = tf.saved_model.load(str(export_crop_model(finished_run, "model")))
    model = load_crop_model(latest_checkpoint(_folder(finished_run)))
    image = np.random.default_rng(0).random([2, 64, 64, 3]).astype(np.float32)
    camera = tf.constant([[[300.0, 0, 32], [0, 300, 32], [0, 0, 1]]] * 2)
    expected = model((image, camera), training=False)
    np.testing.assert_allclose(
        exported.predict_multi_float32(image, camera), expected, rtol=1e-4, atol=0.1
    )
    assert exported.joint_names.numpy().tolist() == [n.encode() for n in JOINTS_3D.names]
    assert exported.heatmap_heads(exported.backbone(image))[0].shape == [2, 7, 2]
    with pytest.raises(UserError, match="is not a SavedModel"):
        export_crop_model(finished_run, "tensorboard")


@pytest.mark.parametrize("source", ["checkpoint", pytest.param("export", marks=pytest.mark.slow)])
def test_finetuning_starts_from_a_trained_model(
    finished_run: Config, tmp_path: pathlib.Path, source: str
) -> None:
    trained = _folder(finished_run)
    path = trained if source == "checkpoint" else export_crop_model(finished_run, "model")
    weights = AffineWeights(np.full([7, 2], 1 / 7), np.full([2, 7], 1 / 2), JOINTS_3D.names)
    save_affine_weights(tmp_path / "acae.npz", weights)
    config = tiny_config(
        tmp_path,
        load_backbone_from=str(path),
        regularize_to_manifold=True,
        affine_weights=str(tmp_path / "acae.npz"),
        dual_finetune_lr=True,
        training_steps=1,
        base_learning_rate=1e-9,
        with_2d=False,
    )
    finetuned = train(config)
    old, new = _state(trained / "ckpt-4"), _state(finetuned)
    kernel = "model/heatmap_heads/conv/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    np.testing.assert_allclose(new[kernel], old[kernel], atol=1e-4)
    row = read_history(_folder(config))[0]
    assert row["loss_pred_vs_reconstr"] > 0 and "loss_2dbatch" not in row
    # The run folder can be used without the original file of affine weights.
    (tmp_path / "acae.npz").unlink()
    assert load_crop_model(finetuned).variant.num_latents == 2


@pytest.mark.parametrize(
    "variant",
    [pytest.param("transform_coords", marks=pytest.mark.slow), "predict_all_and_latents"],
)
def test_latent_points_can_be_finetuned_and_predicted(
    finished_run: Config, tmp_path: pathlib.Path, variant: str
) -> None:
    weights = AffineWeights(np.full([7, 2], 1 / 7), np.full([2, 7], 1 / 2), JOINTS_3D.names)
    save_affine_weights(tmp_path / "acae.npz", weights)
    config = tiny_config(
        tmp_path,
        load_backbone_from=str(_folder(finished_run)),
        dual_finetune_lr=True,
        affine_weights=str(tmp_path / "acae.npz"),
        base_learning_rate=1e-9,
        training_steps=1,
        **{variant: True},
    )
    finetuned = train(config)
    kernel = "model/heatmap_heads/conv/kernel/.ATTRIBUTES/VARIABLE_VALUE"
    old, new = _state(_folder(finished_run) / "ckpt-4")[kernel], _state(finetuned)[kernel]
    if variant == "predict_all_and_latents":  # the joints come last and start as trained
        new = new.reshape(-1, 5, 2 + 7)[..., 2:]
        np.testing.assert_allclose(new, old.reshape(-1, 5, 7), atol=1e-4)
    with np.load(predict(config)) as file:
        joints = file["coords3d_pred_cam"]
    # All joints decode to the mean of the two latent points.
    np.testing.assert_allclose(joints, np.broadcast_to(joints[:, :1], joints.shape), atol=0.1)
    with pytest.raises(UserError, match=f"{variant} was True, is False"):
        train(config.replace(**{variant: False}, regularize_to_manifold=True, training_steps=9))


@pytest.mark.slow
def test_rejects_head_with_other_points(finished_run: Config, tmp_path: pathlib.Path) -> None:
    weights = AffineWeights(np.full([7, 2], 1 / 7), np.full([2, 7], 1 / 2), JOINTS_3D.names)
    save_affine_weights(tmp_path / "acae.npz", weights)
    common = dict(affine_weights=str(tmp_path / "acae.npz"), training_steps=1)
    latent = train(tiny_config(tmp_path / "latent", transform_coords=True, **common))
    config = tiny_config(
        tmp_path / "regularized",
        regularize_to_manifold=True,
        load_backbone_from=str(latent),
        **common,
    )
    with pytest.raises(UserError, match="predicts other points"):
        train(config)


_ACCUMULATING: dict[str, Any] = dict(grad_accum_steps=2, batch_size=4, batch_size_2d=2)
_SCALING: dict[str, Any] = dict(dtype="float16", dynamic_loss_scale=True)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ema_momentum": 0.9, **_ACCUMULATING, **_SCALING},
        pytest.param({"ema_momentum": 0.9}, marks=pytest.mark.slow),
        pytest.param(_ACCUMULATING, marks=pytest.mark.slow),
        pytest.param(_SCALING, marks=pytest.mark.slow),
        pytest.param({"dual_finetune_lr": True, "xla": "full"}, marks=pytest.mark.slow),
    ],
)
def test_interrupted_run_resumes_to_the_same_bits(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    tf.config.experimental.enable_op_determinism()
    number = signal.SIGINT if settings else signal.SIGTERM
    _compute_and_scale_as_on_a_gpu(monkeypatch)
    try:
        settings = dict(training_steps=4, checkpoint_period=3, **settings)
        at_once = train(tiny_config(tmp_path / "at_once", **settings))
        config = tiny_config(tmp_path / "in_parts", **settings)
        with monkeypatch.context() as patch:
            _send_signal_after_step(2, number, patch)
            with pytest.raises(Interrupted) as interruption:
                train(config)
        assert interruption.value.signal_number == number
        assert latest_checkpoint(_folder(config)).name == "ckpt-2"
        in_parts = train(config)
    finally:
        disable_op_determinism()
    expected, actual = _state(at_once), _state(in_parts)
    assert set(expected) == set(actual)
    for name in expected:
        np.testing.assert_array_equal(actual[name], expected[name], err_msg=name)
    assert [row["step"] for row in read_history(_folder(config))] == [1, 2, 3, 4]


def test_out_of_memory_saves_the_last_completed_step(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_out_of_memory() -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    config = tiny_config(tmp_path, checkpoint_period=100)
    with monkeypatch.context() as patch:
        _call_after_step(2, run_out_of_memory, patch)
        with pytest.raises(tf.errors.ResourceExhaustedError):
            train(config)
    assert latest_checkpoint(_folder(config)).name == "ckpt-2"
    assert train(config).name == "ckpt-4"


def test_a_dynamic_loss_scale_is_part_of_the_checkpoint(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _compute_and_scale_as_on_a_gpu(monkeypatch)
    config = tiny_config(tmp_path, loss_scale=1024.0, training_steps=1, **_SCALING)
    value = "loss_scale/value/.ATTRIBUTES/VARIABLE_VALUE"
    assert _state(train(config))[value] == 1024
    resumed = train(config.replace(training_steps=2, loss_scale=64.0))
    assert _state(resumed)[value] == 2048  # finite twice, where it takes two to grow
    assert read_history(_folder(config))[-1]["loss_scale"] == 2048


def test_non_finite_loss_stops_before_the_weights_change(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _spoil_batches_from(2, monkeypatch)
    config = tiny_config(tmp_path, checkpoint_period=1)
    with pytest.raises(NonFiniteLossError, match=r"after 2 steps.*3d_\d.jpg") as error:
        train(config)
    assert "\n" not in str(error.value)
    assert latest_checkpoint(_folder(config)).name == "ckpt-2"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"training_steps": None}, "needs --training_steps"),
        ({"dataset3d": "missing"}, "no cache file"),
        ({"dataset2d": "missing"}, "no cache file"),
        ({"load_path": "ckpt-77"}, "no checkpoint at"),
        ({"finetune_in_inference_mode": 5}, "between 0 and"),
        ({"grad_accum_steps": 2}, "does not divide --batch_size=3"),
        ({"grad_accum_steps": 3}, "does not divide --batch_size_2d=2.*such as --batch_size_2d=3"),
        ({"ghost_bn": "2,2"}, "sums up to 4, but a device works on 5 examples"),
        ({"affine_weights": "missing", "regularize_to_manifold": True}, "not found"),
    ],
)
def test_wrong_settings_are_found_before_anything_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], message: str
) -> None:
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    config = tiny_config(tmp_path).replace(**settings)
    with pytest.raises(UserError, match=message):
        train(config)
    assert not _folder(config).exists()


def test_missing_checkpoint_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UserError, match="no checkpoint at"):
        find_checkpoint("nothing", tmp_path)


def _compute_and_scale_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps float16 where there is no GPU; a dynamic loss scale grows after every second step."""
    monkeypatch.setattr(train_module, "with_supported_dtype", lambda config: config)
    monkeypatch.setattr(loss_scale, "_NUM_STEPS_OF_GROWTH", 2)


def _send_signal_after_step(step: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _call_after_step(step, lambda: os.kill(os.getpid(), number), monkeypatch)


def _call_after_step(
    step: int, action: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Does something at the end of the given step of training."""
    original = Trainer.make_train_function

    def make_train_function(self: Trainer, force: bool = False) -> Any:
        function = original(self, force)

        def interrupted(iterator: Any) -> Any:
            logs = function(iterator)
            if self.num_completed_steps == step:
                action()
            return logs

        return interrupted

    monkeypatch.setattr(Trainer, "make_train_function", make_train_function)


def _spoil_batches_from(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    original = fit._as_tf_dataset

    def spoiled(batches: Any, num_steps: int) -> tf.data.Dataset:
        def spoil(index: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            factor = tf.where(index >= step, np.float32(np.nan), np.float32(1))
            return {**batch, "coords3d_true": batch["coords3d_true"] * factor}

        return original(batches, num_steps).enumerate().map(spoil)

    monkeypatch.setattr(fit, "_as_tf_dataset", spoiled)
