from __future__ import annotations

import math

import pytest
import tensorflow as tf

from ckpt_tools.common.original_names import original_layer_names
from metrabs.backbones.adaptation import FixedPaddingConv2D, FixedPaddingDepthwiseConv2D
from metrabs.backbones.efficientnetv2 import efficientnetv2


@pytest.mark.slow
def test_all_strided_layers_have_fixed_padding_and_the_last_one_is_shifted(build):
    layers = build("efficientnetv2-b0").layers[-1].layers
    strided = [layer for layer in layers if getattr(layer, "strides", (1, 1)) == (2, 2)]
    assert all(
        isinstance(layer, (FixedPaddingConv2D, FixedPaddingDepthwiseConv2D)) for layer in strided
    )
    assert [layer.shift for layer in strided] == [0, 0, 0, 0, 1]


@pytest.mark.slow
def test_extra_large_network_has_the_published_size_and_numbers_of_blocks():
    with tf.Graph().as_default():  # where nothing is allocated
        network = efficientnetv2("XL")(None)
    assert network.output_shape == (None, None, None, 1280)
    # Published with the classifier of 1000 classes on 1280 features: 208.12 million.
    num_trainable = sum(math.prod(weight.shape) for weight in network.trainable_weights)
    assert num_trainable + 1281 * 1000 == 208_119_808
    names = original_layer_names(network, "efficientnetv2-xl")
    assert names["block6a_dwconv2"] == "efficientnetv2-xl/blocks_60/depthwise_conv2d"
    assert names["block7a_dwconv2"] == "efficientnetv2-xl/blocks_86/depthwise_conv2d"
    assert names["block8h_dwconv2"] == "efficientnetv2-xl/blocks_99/depthwise_conv2d"
    strided = [layer.name for layer in network.layers if getattr(layer, "strides", 1) == (2, 2)]
    assert strided == [
        "stem_conv",
        "block2a_expand_conv",
        "block3a_expand_conv",
        "block4a_dwconv2",
        "block6a_dwconv2",
    ]
