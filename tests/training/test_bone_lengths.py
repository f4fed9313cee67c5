"""Where Model25D gets its bone lengths from, and whole runs of it and of Metro."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from metrabs.data.datasets import open_dataset
from metrabs.data.storage.cache import write_cache
from metrabs.errors import UserError
from metrabs.skeletons.bones import mean_bone_lengths
from metrabs.training.bone_lengths import bone_lengths_of
from metrabs.training.callbacks import read_history
from metrabs.training.checkpoints import read_description
from metrabs.training.model_loading import load_crop_model
from metrabs.training.prediction import predict
from metrabs.training.train import train
from tests.training.tiny import JOINTS_2D, JOINTS_3D, tiny_config


def test_lengths_are_means_over_the_training_examples(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D")
    examples = open_dataset(config.data.dataset3d).train
    poses = np.stack([example.world_coords for example in examples])
    expected = mean_bone_lengths(poses, JOINTS_3D)
    np.testing.assert_array_equal(bone_lengths_of(config, JOINTS_3D), expected)
    assert bone_lengths_of(config.replace(model_class="Metro"), JOINTS_3D) is None


def test_lengths_that_are_stored_with_the_dataset_are_taken(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D")
    dataset = open_dataset(config.data.dataset3d)
    stored = np.arange(len(JOINTS_3D.edges), dtype=np.float32)
    write_cache(config.data.dataset3d, dataclasses.replace(
        dataset, bone_lengths_mm={config.data.train_on: stored}))
    np.testing.assert_array_equal(bone_lengths_of(config, JOINTS_3D), stored)


def test_the_skeleton_must_be_the_models(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D")
    with pytest.raises(UserError, match="not those of the model"):
        bone_lengths_of(config, JOINTS_2D)


def test_model25d_trains_and_carries_its_bone_lengths(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Model25D", training_steps=2, validate_period=2)
    config = config.replace(bone_length_dataset=config.data.dataset3d)
    checkpoint = train(config)
    rows = read_history(tmp_path / "run")
    assert {"loss23d", "loss_z", "loss3d", "loss2d", "mean_error"} <= set(rows[0])
    assert rows[-1]["val_mean_error_abs"] > 0
    stored, _ = read_description(checkpoint.parent)
    assert stored.data.bone_length_dataset is None
    model = load_crop_model(checkpoint, stored.replace(dataset3d="elsewhere"))
    np.testing.assert_array_equal(
        model.variant.bone_lengths_mm, bone_lengths_of(config, JOINTS_3D))
    with pytest.raises(UserError, match="model_class was Model25D, is Metrabs"):
        train(config.replace(model_class="Metrabs", training_steps=3))


def test_metro_trains_and_predicts(tmp_path: pathlib.Path) -> None:
    config = tiny_config(tmp_path, model_class="Metro", training_steps=1, validate_period=1)
    train(config)
    rows = read_history(tmp_path / "run")
    assert {"loss3d", "loss2d", "mean_error"} <= set(rows[0])
    assert "val_mean_error" in rows[-1] and "val_mean_error_abs" not in rows[-1]
    with np.load(predict(config)) as file:
        assert file["coords3d_pred_cam"].shape == (5, JOINTS_3D.num_joints, 3)
