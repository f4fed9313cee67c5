from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones import registry
from metrabs.errors import UserError
from tests.backbones.receptive_field import receptive_field_center_px

FAST = ("mobilenetv3-small", "efficientnet-lite0", "resnet18")
# Without classifier; from the papers' reference implementations. Lite0: 4,652,008 trainable ones
# of the whole classifier, less 1,281,000 of the classifier, plus 42,016 moving statistics.
NUM_PARAMETERS = {
    "efficientnet-lite0": 3_413_024,
    "efficientnetv2-b0": 5_919_312,
    "efficientnetv2-b1": 6_931_124,
    "efficientnetv2-b2": 8_769_374,
    "efficientnetv2-b3": 12_930_622,
    "efficientnetv2-s": 20_331_360,
    "efficientnetv2-m": 53_150_388,
    "efficientnetv2-l": 117_746_848,
    "mobilenetv3-small": 1_529_968,
    "mobilenetv3-small-mini": 1_031_848,
    "mobilenetv3-large": 4_226_432,
    "mobilenetv3-large-mini": 2_667_688,
    "resnet18": 11_186_112,
    "resnet50": 23_587_712,
    "resnet50v1-5": 23_587_712,
    "resnet50v2": 23_564_800,
}
FEATURE_CHANNELS = {
    "efficientnetv2-b2": 1408,
    "efficientnetv2-b3": 1536,
    "resnet18": 512,
    "mobilenetv3-small": 1024,
    "mobilenetv3-small-mini": 1024,
}
# One of each family: layer names, and so the rules, are the same in all sizes.
CENTERS = {
    "efficientnet-lite0": 16,
    "efficientnetv2-b0": 16,
    "mobilenetv3-small": 17,
    "mobilenetv3-large-mini": 17,
    "resnet18": 16,
    "resnet50": 16,
    "resnet50v1-5": 16,
    "resnet50v2": 16,
}


def marked_slow(names):
    return [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", marked_slow(NUM_PARAMETERS))
def test_parameter_counts_are_those_of_the_original_networks(build, name):
    assert build(name).count_params() == NUM_PARAMETERS[name]


@pytest.mark.parametrize("name", marked_slow(FAST + ("efficientnetv2-b2", "resnet50v2")))
def test_backbones_give_one_feature_per_32_pixels(build, name):
    backbone = build(name)
    features = backbone(tf.zeros([2, 64, 96, 3]), training=False)
    channels = FEATURE_CHANNELS.get(name, 2048 if "resnet" in name else 1280)
    assert features.shape == (2, 2, 3, channels)
    assert backbone.feature_channels == channels


@pytest.mark.parametrize("name", marked_slow(CENTERS))
def test_receptive_fields_are_centred_on_cells(build, name):
    network = build(name).layers[-1]
    for index in (1, 2):
        center = receptive_field_center_px(network, index)
        assert center == pytest.approx(32 * index + CENTERS[name], abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", CENTERS)
def test_without_centered_stride_receptive_fields_are_centred_on_cell_corners(build, name):
    network = build(name, centered_stride=False).layers[-1]
    center = receptive_field_center_px(network, index=1)
    assert center == pytest.approx(32 + CENTERS[name] - 16, abs=0.1)


@pytest.mark.slow
def test_resnet_v2_without_centered_stride_is_the_network_of_keras(build):
    backbone = build("resnet50v2", centered_stride=False)
    original = tf.keras.applications.ResNet50V2(include_top=False, weights=None)
    original.set_weights(backbone.get_weights())
    image = np.random.default_rng(0).uniform(0, 1, [1, 64, 64, 3]).astype(np.float32)
    np.testing.assert_allclose(
        backbone(image).numpy(), original(2 * image - 1).numpy(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.slow
def test_kernel_norm_limit_covers_efficientnetv2_except_squeeze_and_excitation(build):
    network = build("efficientnetv2-b0").layers[-1]
    for layer in network.layers:
        if isinstance(layer, tf.keras.layers.DepthwiseConv2D):
            assert layer.depthwise_constraint.max_value == 20
        elif isinstance(layer, tf.keras.layers.Conv2D):
            assert (layer.kernel_constraint is None) == ("_se_" in layer.name), layer.name


def test_rebuilding_for_ghost_batch_norm_changes_all_normalisation_layers_and_no_names(build):
    plain = build("resnet18")
    ghost = registry.build_backbone("resnet18", weights="none", ghost_batch_sizes=(1, 2))
    kinds = {type(layer).__name__ for layer in ghost.layers[-1].layers}
    assert "GhostBatchNormalization" in kinds and "BatchNormalization" not in kinds
    assert [v.name for v in plain.weights] == [v.name for v in ghost.weights]
    assert ghost(tf.zeros([3, 32, 32, 3]), training=True).shape == (3, 1, 1, 512)


def test_group_norm_replaces_batch_norm_and_keeps_the_other_weights(tmp_path):
    plain = registry.build_backbone("resnet18", weights="none")
    plain.set_weights([1.5 * weights for weights in plain.get_weights()])
    path = str(tmp_path / "resnet18.h5")
    plain.layers[-1].save_weights(path)
    grouped = registry.build_backbone("resnet18", weights=path, group_norm=True)
    kinds = {type(layer).__name__ for layer in grouped.layers[-1].layers}
    assert "GroupNormalization" in kinds and "BatchNormalization" not in kinds
    for expected, actual in zip(plain.trainable_weights, grouped.trainable_weights):
        np.testing.assert_array_equal(expected.numpy(), actual.numpy())
    assert not grouped.non_trainable_weights
    # Other examples of the batch have no influence, in training either.
    images = np.random.default_rng(0).random([2, 64, 64, 3]).astype(np.float32)
    np.testing.assert_allclose(
        grouped(images, training=True)[:1], grouped(images[:1]), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize(
    "given, canonical",
    [
        ("efficientnetv2_s", "efficientnetv2-s"),
        ("mobilenetV3Small", "mobilenetv3-small"),
        ("mobilenetV3Largemini", "mobilenetv3-large-mini"),
        ("resnet50V1_5", "resnet50v1-5"),
        ("resnet152V2", "resnet152v2"),
    ],
)
def test_original_spellings_are_accepted(given, canonical):
    assert registry.canonical_backbone_name(given) == canonical


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(name="alexnet"), "Unknown backbone 'alexnet'. Known: efficientnet-lite0"),
        (dict(name="efficientnetv2-s-stride16"), "Unknown backbone"),
        (dict(name="resnet18", stride=16), "Output stride 16 is not supported"),
        (dict(name="efficientnetv2-b0", weights="none", group_norm=True), "is for ResNets"),
        (
            dict(name="resnet18", weights="none", group_norm=True, ghost_batch_sizes=(2, 2)),
            "exclude each other",
        ),
        (dict(name="resnet18", proc_side=100), "multiple of 32, not 100"),
        (dict(name="resnet18", weights="imagenet"), "no ImageNet weights of resnet18 to download"),
        (dict(name="efficientnetv2-xl"), "no ImageNet weights of efficientnetv2-xl to download"),
        (dict(name="resnet18", weights="missing.h5"), "'missing.h5' does not exist"),
    ],
)
def test_unusable_settings_are_explained(settings, message):
    with pytest.raises(UserError, match=message):
        registry.build_backbone(**settings)
