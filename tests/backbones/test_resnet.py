from __future__ import annotations

import tensorflow as tf

from metrabs.backbones import resnet
from metrabs.backbones.adaptation import rebuild


def test_the_first_block_of_resnet18_has_an_identity_shortcut_and_later_stages_a_projection(build):
    names = [layer.name for layer in build("resnet18").layers[-1].layers]
    assert "conv2_block1_0_conv" not in names
    assert all(f"conv{stage}_block1_0_conv" in names for stage in (3, 4, 5))
    assert "conv5_block2_2_bn" in names and "conv5_block3_1_conv" not in names


def test_v1_5_strides_in_the_3x3_convolution():
    image = tf.keras.Input([None, None, 4])
    x = tf.keras.layers.Conv2D(2, 1, strides=2, name="conv5_block1_1_conv")(image)
    x = tf.keras.layers.Conv2D(2, 3, padding="same", name="conv5_block1_2_conv")(x)
    block = tf.keras.Model(image, x)
    rebuilt = rebuild(block, resnet.resnet_v1_5_rules(block, centered_stride=True))
    assert rebuilt.get_layer("conv5_block1_1_conv").strides == (1, 1)
    strided = rebuilt.get_layer("conv5_block1_2_conv")
    assert strided.strides == (2, 2) and strided.shift == 1
    assert rebuilt(tf.zeros([1, 8, 8, 4])).shape == (1, 4, 4, 2)


def test_batch_norm_momentum_equals_the_original(build):
    layers = build("resnet18").layers[-1].layers
    momenta = {la.momentum for la in layers if isinstance(la, tf.keras.layers.BatchNormalization)}
    assert momenta == {0.997}
