"""Rebuilding a Keras model with some layers changed, and the changed layers themselves.

Pose estimation needs to know which image position each feature represents. With TensorFlow's
SAME padding, that depends on the parity of the input size, and the receptive fields of features
are not centred on their cells. Two changes give feature i of an output stride of 32 the receptive
field centre 32 i + 16 (MobileNetV3: 32 i + 17, since its stem stays as it is):

* fixed padding: strided layers pad (kernel - 1) / 2 on both sides, for any size;
* centred stride: the last strided layer samples one of its input pixels further right and down.

A `Rule` maps (layer class, layer configuration) to new ones; `rebuild` applies rules to every
layer of a model. Networks thus need not be rewritten, and their weights still fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Union

import tensorflow as tf

from metrabs.backbones.ghost_batch_norm import GhostBatchNormalization

_NUM_NORM_GROUPS = 32
Rule = Callable[[type, dict[str, Any]], tuple[type, dict[str, Any]]]


def fixed_padding(kernel_size: int, shift: int = 0, dilation: int = 1) -> tuple[int, int]:
    """Returns (before, after), the padding of one spatial axis; negative numbers crop.

    Args:
        kernel_size: Kernel size of the layer, in pixels.
        shift: Number of pixels by which the sampling grid moves right and down.
        dilation: Dilation of the layer.
    """
    total = (kernel_size - 1) * dilation
    return total // 2 - shift, total - total // 2 + shift


class _FixedPadding:
    """Mixin for Keras convolutions and poolings with VALID padding: adds fixed padding."""

    def __init__(self, *args: Any, shift: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # padding is VALID by default
        self.shift = shift

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Pads by the fixed amounts, then works without padding."""
        window = getattr(self, "kernel_size", None) or self.pool_size  # type: ignore[attr-defined]
        dilation = getattr(self, "dilation_rate", (1, 1))
        paddings = [fixed_padding(k, self.shift, d) for k, d in zip(window, dilation)]
        return super().call(_pad_or_crop(inputs, paddings))  # type: ignore[misc]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        return {**super().get_config(), "shift": self.shift}  # type: ignore[misc]


class FixedPaddingConv2D(_FixedPadding, tf.keras.layers.Conv2D):
    """Convolution with padding that does not depend on the input size; see the module."""


class FixedPaddingDepthwiseConv2D(_FixedPadding, tf.keras.layers.DepthwiseConv2D):
    """The same for depthwise convolution."""


class FixedPaddingMaxPooling2D(_FixedPadding, tf.keras.layers.MaxPooling2D):
    """The same for max-pooling, padding with zeros."""


_FIXED_CLASSES = {
    tf.keras.layers.Conv2D: FixedPaddingConv2D,
    tf.keras.layers.DepthwiseConv2D: FixedPaddingDepthwiseConv2D,
    tf.keras.layers.MaxPooling2D: FixedPaddingMaxPooling2D,
}


def pad_fixed(shifts: Mapping[str, int]) -> Rule:
    """A rule that gives layers fixed padding.

    Args:
        shifts: layer name -> shift. Convolutions and max-poolings become their fixed-padding
            twins; ZeroPadding2D layers become symmetric up to the shift.
    """

    def rule(cls: type, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        """Shifts the window of the layers named."""
        if config["name"] not in shifts:
            return cls, config
        shift = shifts[config["name"]]
        if issubclass(cls, tf.keras.layers.ZeroPadding2D):
            half = max(config["padding"][0])
            return cls, {**config, "padding": ((half - shift, half + shift),) * 2}
        return _FIXED_CLASSES.get(cls, cls), {**config, "padding": "valid", "shift": shift}

    return rule


def set_strides(strides: Mapping[str, int]) -> Rule:
    """A rule that changes the strides of the named layers."""

    def rule(cls: type, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        """Sets the stride of the layers named."""
        if config["name"] in strides:
            return cls, {**config, "strides": (strides[config["name"]],) * 2}
        return cls, config

    return rule


def set_batch_norm_momentum(momentum: float) -> Rule:
    """A rule that sets the momentum of all batch normalisation layers."""

    def rule(cls: type, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        """Sets the momentum of batch norms."""
        is_batch_norm = issubclass(cls, tf.keras.layers.BatchNormalization)
        return cls, {**config, "momentum": momentum} if is_batch_norm else config

    return rule


def use_ghost_batch_norm(group_sizes: Union[int, Sequence[int]]) -> Rule:
    """A rule that turns all batch normalisation into ghost batch normalisation."""

    def rule(cls: type, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        """Replaces batch norms by ghost batch norms."""
        if cls is tf.keras.layers.BatchNormalization:
            return GhostBatchNormalization, {**config, "group_sizes": group_sizes}
        return cls, config

    return rule


def use_group_norm() -> Rule:
    """A rule that turns all batch normalisation into group normalisation (Wu & He, ECCV 2018)."""

    def rule(cls: type, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        """Replaces batch norms by group norms."""
        if cls is not tf.keras.layers.BatchNormalization:
            return cls, config
        return tf.keras.layers.GroupNormalization, {
            "name": config["name"],
            "groups": _NUM_NORM_GROUPS,
            "axis": -1,
            "epsilon": config["epsilon"],
        }

    return rule


def rebuild(model: tf.keras.Model, rules: Sequence[Rule]) -> tf.keras.Model:
    """Returns a model of the same layers, names and weights, changed by the rules in order.

    A layer that is replaced by one with fewer weights keeps its first weights: scale and offset,
    for a batch normalisation that has become a group normalisation.
    """

    def clone(layer: tf.keras.layers.Layer) -> tf.keras.layers.Layer:
        """Builds the layer anew from the settings that all rules have changed."""
        cls, config = type(layer), layer.get_config()
        for rule in rules:
            cls, config = rule(cls, config)
        return cls.from_config(config)

    rebuilt = tf.keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        counterpart = rebuilt.get_layer(layer.name)
        counterpart.set_weights(layer.get_weights()[: len(counterpart.weights)])
    return rebuilt


def _pad_or_crop(inputs: tf.Tensor, paddings: Sequence[tuple[int, int]]) -> tf.Tensor:
    crops = [slice(max(0, -before), None) for before, _ in paddings]
    pads = [[max(0, before), max(0, after)] for before, after in paddings]
    cropped = inputs[:, crops[0], crops[1]] if any(b < 0 for b, _ in paddings) else inputs
    return tf.pad(cropped, [[0, 0], *pads, [0, 0]])
