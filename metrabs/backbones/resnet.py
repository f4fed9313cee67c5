"""ResNets: 18 and 34 written here, V1, V1.5 and V2 of 50, 101, 152 layers from Keras.

V1.5 is V1 with the stride of a block in its 3x3 convolution instead of the first 1x1 (same weight
shapes). Receptive field centre of feature i: 32 i + 16 (centred) or 32 i pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Optional

import tensorflow as tf

from metrabs.backbones.adaptation import (
    FixedPaddingConv2D,
    Rule,
    pad_fixed,
    set_batch_norm_momentum,
    set_strides,
)

_MOMENTUM = 0.997
_EPSILON = 1.001e-5


def resnet(constructor_name: str) -> Callable[[Optional[str]], tf.keras.Model]:
    """Returns a builder `(weights) -> network` of a ResNet in `keras.applications`."""

    def build(weights: Optional[str]) -> tf.keras.Model:
        """Builds the network without its classifier."""
        constructor = getattr(tf.keras.applications, constructor_name)
        return constructor(include_top=False, weights=weights, input_shape=(None, None, 3))

    return build


def resnet_v1_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """V1: the two strided 1x1 convolutions of the last stage start one pixel later."""
    shift = int(centered_stride)
    shifts = {"conv5_block1_0_conv": shift, "conv5_block1_1_conv": shift}
    return [pad_fixed(shifts), set_batch_norm_momentum(_MOMENTUM)]


def resnet_v1_5_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """V1.5: moves strides from the first to the second convolution, and centres the last one."""
    strides = {f"conv{s}_block1_1_conv": 1 for s in (3, 4, 5)}
    strides.update({f"conv{s}_block1_2_conv": 2 for s in (3, 4, 5)})
    shifts = {f"conv{s}_block1_2_conv": int(centered_stride and s == 5) for s in (3, 4, 5)}
    shifts["conv5_block1_0_conv"] = int(centered_stride)
    return [set_strides(strides), pad_fixed(shifts), set_batch_norm_momentum(_MOMENTUM)]


def resnet_v2_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """V2: the strides sit in the last blocks of conv2 to conv4, the shortcut is a max-pooling."""
    pads = [
        la.name
        for la in network.layers
        if la.name.startswith("conv4_") and la.name.endswith("_2_pad")
    ]
    shortcuts = [
        la.name
        for la in network.layers
        if isinstance(la, tf.keras.layers.MaxPooling2D) and la.pool_size == (1, 1)
    ]
    shift = int(centered_stride)
    return [pad_fixed({pads[-1]: shift, shortcuts[-1]: shift}), set_batch_norm_momentum(_MOMENTUM)]


def basic_resnet(blocks_per_stage: Sequence[int]) -> Callable[[Optional[str]], tf.keras.Model]:
    """Returns a builder of a ResNet of basic blocks; (2, 2, 2, 2) is ResNet18.

    It has no public weights in this layout, so the builder ignores the `weights` argument.
    """

    def build(weights: Optional[str]) -> tf.keras.Model:
        """Builds the network without its classifier."""
        image = tf.keras.Input([None, None, 3])
        x = tf.keras.layers.ZeroPadding2D(3, name="conv1_pad")(image)
        x = tf.keras.layers.Conv2D(64, 7, strides=2, use_bias=False, name="conv1_conv")(x)
        x = tf.keras.layers.ReLU(name="conv1_relu")(_batch_norm("conv1_bn")(x))
        x = tf.keras.layers.ZeroPadding2D(1, name="pool1_pad")(x)
        x = tf.keras.layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
        for stage, num_blocks in enumerate(blocks_per_stage, start=2):
            for block in range(1, num_blocks + 1):
                stride = 2 if block == 1 and stage > 2 else 1
                x = _basic_block(x, 2 ** (stage + 4), stride, f"conv{stage}_block{block}")
        return tf.keras.Model(image, x)

    return build


def basic_resnet_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """Centres the strided convolution and the shortcut of the last stage."""
    shift = int(centered_stride)
    return [pad_fixed({"conv5_block1_0_conv": shift, "conv5_block1_1_conv": shift})]


def _basic_block(x: tf.Tensor, filters: int, stride: int, name: str) -> tf.Tensor:
    shortcut = x
    if stride != 1:
        shortcut = FixedPaddingConv2D(
            filters, 1, strides=stride, use_bias=False, name=f"{name}_0_conv"
        )(x)
        shortcut = _batch_norm(f"{name}_0_bn")(shortcut)
    x = FixedPaddingConv2D(filters, 3, strides=stride, use_bias=False, name=f"{name}_1_conv")(x)
    x = tf.keras.layers.ReLU(name=f"{name}_1_relu")(_batch_norm(f"{name}_1_bn")(x))
    x = FixedPaddingConv2D(filters, 3, use_bias=False, name=f"{name}_2_conv")(x)
    x = tf.keras.layers.Add(name=f"{name}_add")([shortcut, _batch_norm(f"{name}_2_bn")(x)])
    return tf.keras.layers.ReLU(name=f"{name}_out")(x)


def _batch_norm(name: str) -> tf.keras.layers.BatchNormalization:
    return tf.keras.layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, name=name)
