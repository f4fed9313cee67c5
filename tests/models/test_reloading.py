from __future__ import annotations

import types

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models import reloading
from metrabs.models.crop_model import CropModel
from metrabs.models.reloading import reload_crop_model
from tests.models.conftest import JOINTS

SIDE = 64


def _small_model(seed):
    tf.keras.utils.set_random_seed(seed)
    image = tf.keras.Input([None, None, 3])
    x = tf.keras.layers.Conv2D(16, 32, strides=32)(image)
    backbone = tf.keras.Model(image, tf.keras.layers.BatchNormalization()(x))
    model = CropModel(backbone, JOINTS, Config().model, SIDE)
    model((tf.keras.Input([SIDE, SIDE, 3]), tf.keras.Input([3, 3])), training=False)
    return model


@pytest.fixture
def exported():
    """What a loaded export offers."""
    model = _small_model(seed=1)
    names = ("joint_names", "joint_edges", "backbone", "heatmap_heads", "predict_multi")
    members = {name: getattr(model, name) for name in names}
    return types.SimpleNamespace(**members, model=model)  # functions do not keep it alive


@pytest.fixture(autouse=True)
def built(monkeypatch):
    """Replaces the real networks by a small one; returns with what it was asked for."""
    requests = []

    def _build(description, pretrained):
        requests.append(description)
        return _small_model(seed=2)

    monkeypatch.setattr(reloading, "build_crop_model", _build)
    return requests


def _predict(model):
    crops = np.random.default_rng(0).random((2, SIDE, SIDE, 3)).astype(np.float16)
    intrinsics = np.float32([[[90, 0, 32], [0, 90, 32], [0, 0, 1]]] * 2)
    return model.predict_multi(crops, intrinsics).numpy()


def test_reloaded_model_has_the_joints_and_weights_of_the_exported_one(exported, built):
    reloaded = reload_crop_model(exported, Config())
    assert isinstance(reloaded, CropModel)
    assert built[0].joint_info == JOINTS
    assert np.abs(_predict(_small_model(seed=2)) - _predict(exported)).max() > 10
    np.testing.assert_allclose(_predict(reloaded), _predict(exported), rtol=1e-5, atol=0.01)


def test_regularised_model_is_reloaded_without_its_autoencoder(exported, built):
    config = Config().replace(regularize_to_manifold=True, affine_weights="w.npz")
    assert isinstance(reload_crop_model(exported, config), CropModel)
    assert built[0].config.model.affine_weights is None


@pytest.mark.parametrize(
    "settings",
    [{"model_class": "Model25D"}, {"transform_coords": True, "affine_weights": "w.npz"}],
)
def test_models_that_cannot_be_rebuilt_are_returned_unchanged(exported, settings):
    assert reload_crop_model(exported, Config().replace(**settings)) is exported


def test_weights_in_another_order_are_detected(exported):
    kernel, *rest = exported.backbone.weights
    for weights in ([*rest, kernel], [kernel, *rest[::-1]]):
        exported.backbone = types.SimpleNamespace(weights=weights)
        assert reload_crop_model(exported, Config()) is exported


def test_root_relative_poses_are_rejected(exported):
    with pytest.raises(UserError, match="Metro model cannot be exported"):
        reload_crop_model(exported, Config().replace(model_class="Metro"))
