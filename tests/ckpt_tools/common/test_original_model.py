from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools.common.comparison import largest_difference_mm
from ckpt_tools.common.original_model import (
    backbone_network,
    read_original_crop_model,
    renamed_network,
    save_in_original_layout,
    variable_name,
)
from ckpt_tools.common.original_names import original_layer_names
from metrabs.errors import UserError
from metrabs.estimator.crop_prediction import crop_predictor
from metrabs.training.export import save_crop_model
from tests.ckpt_tools.common import official_layout as layout


@pytest.fixture
def values():
    return layout.random_values(layout.tiny_network_shapes())


pytestmark = pytest.mark.usefixtures("tiny_backbone")


@pytest.fixture
def model(values, tmp_path):
    layout.save_original_model(tmp_path / "original", values)
    return read_original_crop_model(tmp_path / "original")[0]


@pytest.mark.parametrize("is_full_image_model", [False, True])
def test_variables_arrive_where_their_names_say(is_full_image_model, values, tmp_path):
    folder = tmp_path / "model"
    kernel, bias = layout.save_original_model(
        folder, values, is_full_image_model=is_full_image_model, scope="x/efficientnetv2-b0/"
    )
    model, config = read_original_crop_model(folder, {"centered_stride": False})
    weights = {variable_name(w): w.numpy() for w in model.backbone.weights}
    pairs = {
        "stem_conv/kernel": "stem/conv2d/kernel",
        "block1a_project_bn/gamma": "blocks_0/tpu_batch_normalization/gamma",
        "block1a_project_conv/kernel": "blocks_0/conv2d/kernel",
        "top_conv/kernel": "head/conv2d/kernel",
        "top_bn/moving_variance": "head/tpu_batch_normalization/moving_variance",
    }
    for ours, theirs in pairs.items():
        np.testing.assert_array_equal(weights[ours], values[theirs])
    for own, given in zip(model.heatmap_heads.get_weights(), (kernel, bias)):
        np.testing.assert_array_equal(own, given)
    assert model.joint_info.names == layout.JOINT_NAMES
    assert [list(edge) for edge in model.joint_info.edges] == layout.JOINT_EDGES
    assert config.model.backbone == "efficientnetv2-b0"
    assert (config.model.depth, config.loading.proc_side) == (layout.DEPTH, 64)
    assert not config.model.centered_stride


def test_model_is_the_same_after_writing_and_reading_the_original_layout(model, values, tmp_path):
    folder = tmp_path / "model"
    save_in_original_layout(model, folder)
    loaded = tf.saved_model.load(str(folder))
    names = [variable_name(weight) for weight in loaded.backbone.weights]
    assert sorted(names) == sorted(f"efficientnetv2-b0/{name}" for name in values)
    num_trainable = sum("moving" not in name for name in names)
    assert not any("moving" in name for name in names[:num_trainable])
    assert names[0].startswith("efficientnetv2-b0/blocks_0/")
    assert names[num_trainable - 1] == "efficientnetv2-b0/head/tpu_batch_normalization/beta"
    again, _ = read_original_crop_model(folder)
    for first, second in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(first, second)
    assert largest_difference_mm(crop_predictor(loaded), crop_predictor(again), 64) < 1e-2


class KerasCropModel(tf.keras.Model):
    """The parts of a crop model as Keras objects, whose SavedModels have other keys."""

    def __init__(self, values):
        super().__init__()
        tiny = layout.build_tiny_backbone("efficientnetv2-b0")
        network = backbone_network(tiny)
        names = original_layer_names(network, "efficientnetv2-b0")
        renamed = renamed_network(network, names)
        for weight in renamed.weights:
            weight.assign(values[variable_name(weight).partition("/")[2]])
        self.backbone = tf.keras.Sequential([tf.keras.layers.Rescaling(2.0, -1.0), renamed])
        self.heatmap_heads = tf.keras.Sequential([tf.keras.layers.Conv2D(12, 1)])
        self.joint_names = tf.Variable(layout.JOINT_NAMES, trainable=False)
        self.joint_edges = tf.Variable(np.array(layout.JOINT_EDGES), trainable=False)
        self.input_resolution = tf.Variable(64, dtype=tf.int32, trainable=False)

    def call(self, image, training=None):
        return self.heatmap_heads(self.backbone(image, training=training), training=training)


def test_saved_keras_models_are_read_also_within_a_full_image_model(values, tmp_path):
    keras_model = KerasCropModel(values)
    keras_model(tf.zeros([1, 64, 64, 3]))
    keras_model.save(str(tmp_path / "crop_model"), include_optimizer=False)
    full_image_model = tf.Module()
    full_image_model.crop_model = tf.saved_model.load(str(tmp_path / "crop_model"))
    tf.saved_model.save(full_image_model, str(tmp_path / "full"))
    for name in ("crop_model", "full"):
        model, config = read_original_crop_model(tmp_path / name)
        assert config.model.backbone == "efficientnetv2-b0"
        assert model.joint_info.names == layout.JOINT_NAMES
        weights = {variable_name(w): w.numpy() for w in model.backbone.weights}
        np.testing.assert_array_equal(weights["top_conv/kernel"], values["head/conv2d/kernel"])
        np.testing.assert_array_equal(
            model.heatmap_heads.get_weights()[0], keras_model.heatmap_heads.get_weights()[0]
        )


def test_own_export_is_also_read(model, tmp_path):
    save_crop_model(model, tmp_path / "model")
    again, _ = read_original_crop_model(tmp_path / "model", {"backbone": "efficientnetv2-b0"})
    for first, second in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_array_equal(first, second)


def test_other_backbone_is_refused(values, tmp_path):
    layout.save_original_model(tmp_path / "model", values)
    with pytest.raises(UserError, match="lacks .* --backbone"):
        read_original_crop_model(tmp_path / "model", {"backbone": "mobilenetv3-small"})


def test_heads_of_latent_points_are_refused(values, tmp_path):
    layout.save_original_model(tmp_path / "model", values, num_points=4)
    with pytest.raises(UserError, match="predict latent points"):
        read_original_crop_model(tmp_path / "model")


def test_rejects_unrelated_saved_model(tmp_path):
    module = tf.Module()
    module.joint_names = tf.Variable(["pelv"])
    module.joint_edges = tf.Variable(np.zeros([0, 2], np.int64))
    tf.saved_model.save(module, str(tmp_path / "model"))
    with pytest.raises(UserError, match="not a crop model"):
        read_original_crop_model(tmp_path / "model")
