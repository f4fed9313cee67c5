"""Pictures of validation examples during training."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.models.build import build_crop_model
from metrabs.models.description import ModelDescription
from metrabs.training import previews
from metrabs.training.train import train
from tests.training.tiny import tiny_config


def _drawn(config: Config, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Draws twice; returns what was drawn of every example."""
    calls: list[dict[str, Any]] = []
    names = ("image", "predicted2d", "true2d", "predicted3d", "true3d", "skeleton", "caption")

    def record(*args: Any) -> np.ndarray:
        calls.append(dict(zip(names, args)))
        return np.zeros([4, 6, 3], np.uint8)

    monkeypatch.setattr(previews, "comparison_image", record)
    dataset = open_dataset(config.data.dataset3d)
    tf.keras.utils.set_random_seed(1)
    model = build_crop_model(ModelDescription(config, dataset.joint_info))
    drawer = previews.ValidationPreviews(model, dataset, config)
    assert drawer.draw().shape == (4, 12, 3)
    drawer.draw()
    return calls


def test_the_same_examples_are_drawn_with_their_known_joints(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path, num_pictures=2)
    first, second, *again = _drawn(config, monkeypatch)
    np.testing.assert_array_equal(first["image"], again[0]["image"])
    assert (first["image"] != second["image"]).any()
    for name in ("predicted2d", "true2d", "predicted3d", "true3d"):
        is_missing = np.isnan(first[name]).any(axis=-1)
        assert is_missing.sum() == 1, name  # one joint of each example is unknown
    true = first["true2d"][~np.isnan(first["true2d"]).any(axis=-1)]
    assert true.min() > -64 and true.max() < 128  # around the crop of 64 pixels
    np.testing.assert_allclose(np.nanmean(first["true3d"], axis=0), 0, atol=1e-3)
    assert "absolute" in first["caption"]


def test_root_relative_models_have_no_overlay(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(tmp_path, num_pictures=2, model_class="Metro")
    first = _drawn(config, monkeypatch)[0]
    assert first["predicted2d"] is None and first["true2d"] is not None
    assert "absolute" not in first["caption"]


def test_training_writes_previews_to_tensorboard(tmp_path: pathlib.Path) -> None:
    config = tiny_config(
        tmp_path, with_2d=False, training_steps=2, picture_period=2, num_pictures=1
    )
    train(config)
    files = list(pathlib.Path(config.run.logdir).glob("tensorboard/events*"))
    steps, images = [], []
    for event in tf.data.TFRecordDataset([str(path) for path in files]):
        record = tf.compat.v1.Event.FromString(event.numpy())
        for value in record.summary.value:
            if value.tag == "poses":
                steps.append(record.step)
                images.append(tf.io.decode_image(value.tensor.string_val[2]))
    assert steps == [2]
    assert images[0].shape[0] > 480 and images[0].shape[1:] == (2 * 960, 3)
