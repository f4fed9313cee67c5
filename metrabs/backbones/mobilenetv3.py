"""MobileNetV3 from `keras.applications`, with the Conv_2 head, fixed padding, centred last stride.

Keras moved the 1x1 convolution Conv_2 behind the pooling of the classifier. Here it stays on the
feature map, as in the original. Receptive field centre of feature i: 32 i + 17 (centred; the stem
keeps its SAME padding) or 32 i + 1 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

import tensorflow as tf

from metrabs.backbones.adaptation import Rule, pad_fixed

_PAD_SUFFIX = "/depthwise/pad"


def mobilenetv3(
    size: str, minimalistic: bool = False
) -> Callable[[Optional[str]], tf.keras.Model]:
    """Returns a builder `(weights) -> network with Conv_2 but no classifier`.

    Args:
        size: 'Small' or 'Large'.
        minimalistic: only 3x3 kernels and ReLU, no squeeze-and-excitation.
    """

    def build(weights: Optional[str]) -> tf.keras.Model:
        """Builds the Keras application without its classifier."""
        constructor = getattr(tf.keras.applications, f"MobileNetV3{size}")
        classifier = constructor(
            minimalistic=minimalistic,
            include_top=True,
            include_preprocessing=False,
            weights=weights,
            input_shape=(None, None, 3),
        )
        return _with_dense_head(classifier, minimalistic)

    return build


def mobilenetv3_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """The changes of padding and stride: every strided depthwise layer has its padding layer."""
    names = [layer.name for layer in network.layers if layer.name.endswith(_PAD_SUFFIX)]
    return [pad_fixed({**dict.fromkeys(names, 0), names[-1]: int(centered_stride)})]


def _with_dense_head(classifier: tf.keras.Model, minimalistic: bool) -> tf.keras.Model:
    """Cuts the classifier before its pooling and applies its Conv_2 to every position."""
    pooling = next(
        layer
        for layer in reversed(classifier.layers)
        if isinstance(layer, tf.keras.layers.GlobalAveragePooling2D)
    )
    trained = classifier.get_layer("Conv_2")
    conv = tf.keras.layers.Conv2D.from_config(trained.get_config())
    features = conv(pooling.input)
    conv.set_weights(trained.get_weights())
    activation = tf.keras.layers.ReLU() if minimalistic else _hard_swish
    return tf.keras.Model(classifier.input, activation(features), name=classifier.name)


def _hard_swish(x: tf.Tensor) -> tf.Tensor:
    gate = tf.keras.layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    return tf.keras.layers.Multiply()([x, gate])
