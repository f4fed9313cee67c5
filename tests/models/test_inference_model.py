from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones.registry import build_backbone
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models import inference_model
from metrabs.models.crop_model import CropModel
from metrabs.models.inference_model import InferenceCropModel, fold_batch_norm, runs_on
from tests.models.conftest import JOINTS

layers = tf.keras.layers
SIDE = 64


@pytest.fixture(scope="module")
def model():
    """A crop model with a backbone of two convolutions, whose heads look at small differences."""
    tf.keras.utils.set_random_seed(2)
    image = tf.keras.Input([None, None, 3])
    x = layers.Conv2D(8, 8, strides=8)(layers.Rescaling(2.0, -1.0)(image))
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.0)(x))
    x = layers.BatchNormalization(momentum=0.0)(layers.Conv2D(16, 4, strides=4)(x))
    model = CropModel(tf.keras.Model(image, x), JOINTS, Config().model, SIDE)
    model(_inputs(), training=True)
    return model


def _inputs():
    crops = np.random.default_rng(0).random((4, SIDE, SIDE, 3), dtype=np.float32)
    intrinsics = np.float32([[150, 0, 32], [0, 150, 32], [0, 0, 1]])
    return tf.constant(crops), tf.constant(np.tile(intrinsics, [4, 1, 1]))


@pytest.fixture(scope="module")
def expected(model):
    return model.predict_multi_float32(*_inputs()).numpy()


def test_reduced_model_predicts_the_same_poses(model, expected):
    reduced = InferenceCropModel(model, "float32")
    actual = reduced.predict_multi_float32(*_inputs())
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=0.01)
    crops, intrinsics = _inputs()
    actual = reduced.predict_multi(tf.cast(crops, tf.float16), intrinsics)
    np.testing.assert_allclose(actual, expected, rtol=5e-3, atol=5)


def test_device_determines_the_precision(model, expected, monkeypatch):
    in_float16 = InferenceCropModel(model, "float16").predict_multi_float32(*_inputs()).numpy()
    assert 1e-3 < np.abs(in_float16 - expected).max() < 0.01 * np.abs(expected).max()
    # Made to take this processor for a GPU, the same graph computes in float16.
    monkeypatch.setattr(inference_model, "runs_on", lambda device: runs_on("CPU"))
    with tf.device("CPU"):
        as_gpu = InferenceCropModel(model).predict_multi_float32(*_inputs())
    np.testing.assert_allclose(as_gpu, in_float16, rtol=1e-6)
    monkeypatch.setattr(inference_model, "runs_on", runs_on)
    with tf.device("CPU"):
        as_processor = InferenceCropModel(model).predict_multi_float32(*_inputs())
    np.testing.assert_allclose(as_processor, expected, rtol=1e-5, atol=0.01)


def test_both_precisions_share_their_weights(model):
    def variables(precision):
        predict = InferenceCropModel(model, precision).predict_multi_float32
        return predict.get_concrete_function().variables

    assert len(variables("by-device")) == len(variables("float32")) == 6
    assert all(variable.dtype == tf.float32 for variable in variables("float16"))


def test_root_relative_poses_are_rejected(make_model):
    with pytest.raises(UserError, match="Metro model cannot be exported.*how far"):
        InferenceCropModel(make_model(model_class="Metro"))


def test_unknown_precision_is_an_error(model):
    with pytest.raises(UserError, match="float16"):
        InferenceCropModel(model, "float8")


def test_graph_detects_whether_it_runs_on_a_cpu_or_gpu():
    has_gpu = bool(tf.config.list_physical_devices("GPU"))
    answers = tf.function(lambda: (runs_on("CPU"), runs_on("GPU")))()
    assert [bool(answer) for answer in answers] == [not has_gpu, has_gpu]


def test_device_scope_of_the_user_is_respected():
    @tf.function
    def is_on_processor():
        return tf.cond(runs_on("CPU"), lambda: True, lambda: False)

    with tf.device("CPU"):
        assert is_on_processor()


def _norms(network):
    for layer in network.layers:
        if isinstance(layer, tf.keras.Model):
            yield from _norms(layer)
        elif isinstance(layer, layers.BatchNormalization):
            yield layer


def _as_if_trained(network, images, seed=0):
    """Gives batch normalisation the statistics of images, and uneven scales and offsets."""
    rng = np.random.default_rng(seed)
    for norm in _norms(network):
        norm.momentum = 0.0
        size = norm.moving_mean.shape[0]
        norm.beta.assign(rng.normal(size=size) * 0.1)
        if norm.scale:
            norm.gamma.assign(rng.uniform(0.7, 1.3, size))
    network(images, training=True)
    return network


def _images(side=64):
    return np.random.default_rng(5).random((2, side, side, 3), dtype=np.float32)


def _assert_same_function(network, folded, images):
    expected = network(images, training=False).numpy()
    scale = np.abs(expected).max()
    assert scale > 0.01
    np.testing.assert_allclose(folded(images, training=False), expected, atol=2e-5 * scale)


def test_normalisation_moves_into_the_convolution_before_it():
    image = tf.keras.Input([None, None, 3])
    x = layers.Conv2D(4, 3, name="with_bias")(image)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    network = _as_if_trained(tf.keras.Model(image, x), _images(16))
    network.get_layer("with_bias").bias.assign([1.0, -2.0, 0.5, 3.0])
    folded = fold_batch_norm(network)
    assert not list(_norms(folded))
    assert len(folded.weights) == 4
    _assert_same_function(network, folded, _images(16))


def test_normalisation_without_a_foldable_convolution_stays():
    image = tf.keras.Input([None, None, 3])
    used_twice = layers.Conv2D(4, 3)(image)
    activated = layers.Conv2D(4, 3, activation="relu")(image)
    x = layers.Add()([layers.BatchNormalization()(used_twice), used_twice])
    x = layers.Concatenate()([layers.BatchNormalization()(activated), x])
    network = _as_if_trained(tf.keras.Model(image, layers.BatchNormalization()(x)), _images(16))
    folded = fold_batch_norm(network)
    assert len(list(_norms(folded))) == 3
    _assert_same_function(network, folded, _images(16))


@pytest.mark.parametrize(
    "name, num_left",
    [
        ("mobilenetv3-small", 0),
        ("resnet18", 0),
        pytest.param("efficientnetv2-b0", 0, marks=pytest.mark.slow),
        pytest.param("resnet50", 0, marks=pytest.mark.slow),
        # The second version normalises before it convolves, in 16 blocks and at the end.
        pytest.param("resnet50v2", 17, marks=pytest.mark.slow),
    ],
)
def test_folded_backbones_compute_the_same(name, num_left):
    tf.keras.utils.set_random_seed(0)
    images = _images()
    backbone = _as_if_trained(build_backbone(name, weights="none", proc_side=64), images)
    folded = fold_batch_norm(backbone)
    assert len(list(_norms(folded))) == num_left
    expected = backbone(images, training=False).numpy()
    # Random networks amplify rounding, each its own way: as much as they do for the last bits of
    # the images is to be expected also of a different order of multiplications.
    in_last_bits = backbone(np.nextafter(images, np.float32(2)), training=False)
    rounding = np.abs(in_last_bits - expected).max()
    assert rounding < 1e-3 * np.abs(expected).max()
    np.testing.assert_allclose(folded(images, training=False), expected, atol=10 * rounding)


def test_folded_network_can_have_another_precision():
    image = tf.keras.Input([None, None, 3])
    x = layers.Rescaling(2.0, -1.0)(image)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(x))
    network = _as_if_trained(tf.keras.Model(image, x), _images(16))
    folded = fold_batch_norm(network, "mixed_float16")
    output = folded(_images(16), training=False)
    assert output.dtype == tf.float16
    np.testing.assert_allclose(
        tf.cast(output, tf.float32), network(_images(16), training=False), atol=0.02
    )
