"""Scaling of RGB in 0..1 to the input range of each family of networks, always in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Union

import tensorflow as tf

InputScaling = Callable[[tf.Tensor], tf.Tensor]
"""Symbolic image `[B, H, W, 3]`, RGB in 0..1 -> input of the network."""

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STDEV = (0.229, 0.224, 0.225)
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


def _rescale(
    image: tf.Tensor, scale: Union[float, Sequence[float]], offset: Union[float, Sequence[float]]
) -> tf.Tensor:
    layer = tf.keras.layers.Rescaling(scale, offset, dtype="float32", name="input_scaling")
    return layer(image)


def plus_minus_one(image: tf.Tensor) -> tf.Tensor:
    """To -1..1: EfficientNetV2, MobileNetV3, ResNet V2 (Keras weights)."""
    return _rescale(image, 2.0, -1.0)


def imagenet_mean_stdev(image: tf.Tensor) -> tf.Tensor:
    """Subtracts the mean and divides by the standard deviation of ImageNet: ResNet V1.5."""
    scale = [1 / s for s in _IMAGENET_STDEV]
    return _rescale(image, scale, [-m / s for m, s in zip(_IMAGENET_MEAN, _IMAGENET_STDEV)])


def caffe_bgr(image: tf.Tensor) -> tf.Tensor:
    """BGR in 0..255 minus the mean: ResNet V1 (Keras weights, which come from Caffe).

    Deviation: the original implementation subtracts the means in this order from RGB, and so swaps
    red and blue of the pretrained network; `caffe_rgb` is for its weights.
    """
    return _rescale(image[..., ::-1], 255.0, [-m for m in _CAFFE_MEAN_BGR])


def caffe_rgb(image: tf.Tensor) -> tf.Tensor:
    """RGB in 0..255 minus the BGR mean, as in the original."""
    return _rescale(image, 255.0, [-m for m in _CAFFE_MEAN_BGR])


def efficientnet_lite(image: tf.Tensor) -> tf.Tensor:
    """(255 x - 127) / 128."""
    return _rescale(image, 255 / 128, -127 / 128)
