"""Initial weights of runs, trained models that are loaded, and the bone lengths of Model25D."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones import registry
from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.storage.cache import write_cache
from metrabs.errors import UserError
from metrabs.models.description import read_config
from metrabs.skeletons.bones import mean_bone_lengths
from metrabs.training import train as train_module
from metrabs.training.callbacks import read_history
from metrabs.training.model_loading import (
    check_initial_weights,
    describe_model,
    load_crop_model,
    needs_pretrained_backbone,
    typical_bone_lengths,
)
from metrabs.training.train import train
from tests.training.tiny import JOINTS_2D, JOINTS_3D, tiny_config

_KERNEL = "model/heatmap_heads/conv/kernel/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets downloads fail as Keras does; the data must not be looked at."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- no network")

    monkeypatch.setattr(tf.keras.applications, "ResNet50", fail)
    monkeypatch.setattr(train_module, "open_dataset", lambda *_: pytest.fail("data was opened"))


def _config(folder: pathlib.Path, **settings: Any) -> Config:
    return Config().replace(
        logdir=str(folder / "run"), training_steps=1, backbone="resnet50", **settings
    )


def test_without_network_the_run_ends_before_data_is_opened(
    tmp_path: pathlib.Path, no_network: None
) -> None:
    with pytest.raises(UserError, match="cannot be downloaded.*--backbone_weights=none") as error:
        train(_config(tmp_path))
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"load_backbone_from": "MISSING"}, "no checkpoint at"),
        ({"init_path": "MISSING"}, "no checkpoint at"),
        ({"backbone": "resnet18", "backbone_weights": "MISSING"}, "does not exist"),
        ({"backbone": "resnet18"}, "no ImageNet weights of resnet18"),
        ({"affine_weights": "MISSING", "regularize_to_manifold": True}, "not found"),
        ({"regularize_to_manifold": True}, "needs --affine_weights"),
    ],
)
def test_missing_initial_weights_are_reported_before_data_is_opened(
    tmp_path: pathlib.Path, no_network: None, settings: dict[str, Any], message: str
) -> None:
    missing = str(tmp_path / "missing.h5")
    settings = {k: missing if v == "MISSING" else v for k, v in settings.items()}
    with pytest.raises(UserError, match=message):
        train(_config(tmp_path).replace(**settings))
    assert not (tmp_path / "run").exists()


def test_folder_without_a_description_is_rejected(tmp_path: pathlib.Path) -> None:
    tf.train.Checkpoint(step=tf.Variable(1)).write(str(tmp_path / "ckpt-1"))
    config = _config(tmp_path, load_backbone_from=str(tmp_path / "ckpt-1"))
    with pytest.raises(UserError, match="lacks config.json"):
        check_initial_weights(config, None, tmp_path)


def test_weights_that_will_be_replaced_are_not_downloaded(
    tmp_path: pathlib.Path, no_network: None
) -> None:
    config = _config(tmp_path)
    resumed = tmp_path / "run" / "ckpt-1"
    check_initial_weights(config, resumed, tmp_path)
    assert not needs_pretrained_backbone(config, resumed)
    for name in ("init_path", "load_backbone_from"):
        started = config.replace(**{name: "somewhere"})
        assert not needs_pretrained_backbone(started, None)
    assert needs_pretrained_backbone(config, None)


def test_available_weights_pass(tmp_path: pathlib.Path) -> None:
    network = registry.build_backbone("resnet18", weights="none").layers[-1]
    network.save_weights(str(tmp_path / "resnet18.h5"))
    for weights in ("none", str(tmp_path / "resnet18.h5")):
        config = _config(tmp_path).replace(backbone="resnet18", backbone_weights=weights)
        check_initial_weights(config, None, tmp_path)


def test_devices_are_chosen_before_anything_is_computed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several machines have to meet first, and weights may need a network to be built."""
    calls: list[str] = []

    def end(*args: Any) -> None:
        calls.append("weights")
        raise UserError("enough")

    monkeypatch.setattr(train_module, "choose_strategy", lambda multi_gpu: calls.append("devices"))
    monkeypatch.setattr(train_module, "check_initial_weights", end)
    with pytest.raises(UserError, match="enough"):
        train(_config(tmp_path))
    assert calls == ["devices", "weights"]


@pytest.mark.slow
def test_a_run_starts_from_a_file_of_backbone_weights(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metrabs.models.build.build_backbone", registry.build_backbone)
    network = registry.build_backbone("resnet18", weights="none").layers[-1]
    network.save_weights(str(tmp_path / "resnet18.h5"))
    trained = train(
        tiny_config(
            tmp_path,
            with_2d=False,
            training_steps=1,
            backbone="resnet18",
            base_learning_rate=1e-9,
            backbone_weights=str(tmp_path / "resnet18.h5"),
            weight_decay=0.0,
        )
    )
    backbone = load_crop_model(trained).backbone
    for expected, actual in zip(network.trainable_weights, backbone.trainable_weights):
        np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_a_run_starts_from_a_checkpoint_with_step_zero(tmp_path: pathlib.Path) -> None:
    common: dict[str, Any] = dict(with_2d=False, training_steps=1)
    first = train(tiny_config(tmp_path / "first", **common))
    second = train(
        tiny_config(
            tmp_path / "second",
            init_path=str(first),
            backbone_weights="imagenet",
            seed=2,
            base_learning_rate=1e-9,
            weight_decay=0.0,
            ema_momentum=0.9,
            **common,
        )
    )
    old, new = (tf.train.load_checkpoint(str(c)).get_tensor(_KERNEL) for c in (first, second))
    assert second.name == "ckpt-1"
    np.testing.assert_allclose(new, old, atol=1e-4)


def test_bone_lengths_are_means_over_the_training_examples(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D")
    examples = open_dataset(config.data.dataset3d).train
    poses = np.stack([example.world_coords for example in examples])
    expected = mean_bone_lengths(poses, JOINTS_3D)
    np.testing.assert_array_equal(typical_bone_lengths(config, JOINTS_3D), expected)
    description = describe_model(config, JOINTS_3D, resumed=None)
    np.testing.assert_array_equal(description.bone_lengths_mm, expected)
    metro = config.replace(model_class="Metro")
    assert describe_model(metro, JOINTS_3D, resumed=None).bone_lengths_mm is None


def test_bone_lengths_that_are_stored_with_the_dataset_are_used(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D")
    dataset = open_dataset(config.data.dataset3d)
    stored = np.arange(len(JOINTS_3D.edges), dtype=np.float32)
    write_cache(
        config.data.dataset3d,
        dataclasses.replace(dataset, bone_lengths_mm={config.data.train_on: stored}),
    )
    np.testing.assert_array_equal(typical_bone_lengths(config, JOINTS_3D), stored)


def test_bone_lengths_come_from_the_skeleton_of_the_model(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D")
    with pytest.raises(UserError, match="not those of the model"):
        typical_bone_lengths(config, JOINTS_2D)


def test_model25d_trains_and_carries_its_bone_lengths(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D", training_steps=2, validate_period=2)
    config = config.replace(bone_length_dataset=config.data.dataset3d)
    checkpoint = train(config)
    rows = read_history(tmp_path / "run")
    assert {"loss23d", "loss_z", "loss3d", "loss2d", "mean_error"} <= set(rows[0])
    assert rows[-1]["val_mean_error_abs"] > 0
    stored = read_config(checkpoint.parent)
    assert stored.data.bone_length_dataset is None
    model = load_crop_model(checkpoint, stored.replace(dataset3d="elsewhere"))
    np.testing.assert_array_equal(
        model.variant.bone_lengths_mm, typical_bone_lengths(config, JOINTS_3D)
    )
    resumed = describe_model(stored.replace(dataset3d="elsewhere"), JOINTS_3D, checkpoint)
    np.testing.assert_array_equal(resumed.bone_lengths_mm, model.variant.bone_lengths_mm)
    with pytest.raises(UserError, match="model_class was Model25D, is Metrabs"):
        train(config.replace(model_class="Metrabs", training_steps=3))
