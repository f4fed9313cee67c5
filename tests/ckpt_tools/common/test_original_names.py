from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ckpt_tools.common.original_names import match_names, original_layer_names
from metrabs.errors import UserError
from tests.ckpt_tools.common.official_layout import efficientnetv2_b0_shapes


@pytest.fixture(scope="module")
def network():
    return tf.keras.applications.EfficientNetV2B0(
        include_top=False, include_preprocessing=False, weights=None, input_shape=(None, None, 3)
    )


def test_every_variable_of_efficientnetv2_has_its_official_name_and_shape(network):
    layers = original_layer_names(network, "efficientnetv2-b0")
    shapes = {}
    for weight in network.weights:
        layer, _, kind = weight.name.partition(":")[0].rpartition("/")
        shapes[f"{layers[layer]}/{kind}"] = tuple(weight.shape)
    expected = {f"efficientnetv2-b0/{k}": v for k, v in efficientnetv2_b0_shapes().items()}
    assert shapes == expected


def test_blocks_are_numbered_through_all_stages(network):
    layers = original_layer_names(network, "efficientnetv2-b0")
    # One block in stage 1, two each in stages 2 and 3, three in stage 4, five in stage 5.
    assert layers["block1a_project_conv"] == "efficientnetv2-b0/blocks_0/conv2d"
    assert layers["block2b_project_bn"] == "efficientnetv2-b0/blocks_2/tpu_batch_normalization_1"
    assert layers["block4c_dwconv2"] == "efficientnetv2-b0/blocks_7/depthwise_conv2d"
    assert layers["block6a_se_expand"] == "efficientnetv2-b0/blocks_13/se/conv2d_1"
    assert layers["top_bn"] == "efficientnetv2-b0/head/tpu_batch_normalization"


def test_other_backbones_keep_their_names():
    image = tf.keras.Input([8, 8, 3])
    features = tf.keras.layers.Conv2D(2, 1, name="conv1_conv")(image)
    assert original_layer_names(tf.keras.Model(image, features), "resnet18") == {
        "conv1_conv": "conv1_conv"
    }


def test_names_are_found_below_any_scope():
    available = {"a/b/stem/kernel": (1,), "a/b/stem/conv/kernel": (2,)}
    found = match_names({"stem/kernel": (1,), "conv/kernel": (2,)}, available, "file")
    assert found == {"stem/kernel": "a/b/stem/kernel", "conv/kernel": "a/b/stem/conv/kernel"}


def test_exact_name_takes_precedence_over_longer_ones():
    available = {"conv/kernel": (1,), "expanded/conv/kernel": (1,)}
    assert match_names({"conv/kernel": (1,)}, available, "file") == {"conv/kernel": "conv/kernel"}


@pytest.mark.parametrize(
    ("available", "message"),
    [
        ({"other": (1,)}, "lacks 1 of 1 variables"),
        ({"x/a": (1,), "y/a": (1,)}, "several variables for 'a': x/a, y/a"),
        ({"x/a": (2, 3)}, r"has the shape \(2, 3\), this backbone needs \(1,\)"),
    ],
)
def test_missing_ambiguous_and_unfit_variables_are_named(available, message):
    with pytest.raises(UserError, match=message):
        match_names({"a": (1,)}, available, "file")


def test_number_of_parameters_is_the_published_one():
    assert sum(int(np.prod(s)) for s in efficientnetv2_b0_shapes().values()) == 5_919_312
