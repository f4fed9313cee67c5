"""Measures where in the image a feature looks, by gradients through kernels with one tap."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrabs.backbones.adaptation import rebuild

_FAINT = 1e-3  # keeps every activation in the part that is linear around or above zero


def receptive_field_center_px(network: tf.keras.Model, index: int, side: int = 128) -> float:
    """Returns the mean position (pixel index) that feature `index` depends on."""
    network = rebuild(network, [_average_instead_of_maximum])
    network.set_weights([_center_tap(v.name, v.shape) for v in network.weights])
    image = tf.fill([1, side, side, 3], _FAINT)
    with tf.GradientTape() as tape:
        tape.watch(image)
        feature = tf.reduce_sum(network(image, training=False)[0, index, index])
    weights = tf.reduce_sum(tape.gradient(feature, image), axis=(0, 1, 3)).numpy()
    return float(weights @ np.arange(side) / weights.sum())


def _average_instead_of_maximum(cls: type, config: dict) -> tuple[type, dict]:
    """The gradient of a maximum of equal values belongs to the first, that of a mean to all."""
    return (
        tf.keras.layers.AveragePooling2D if cls is tf.keras.layers.MaxPooling2D else cls,
        config,
    )


def _center_tap(name: str, shape: tf.TensorShape) -> np.ndarray:
    """Convolutions that average the channels of their middle pixel; identity normalisation."""
    if "kernel" not in name:
        return np.full(shape, float("gamma" in name or "variance" in name), np.float32)
    kernel = np.zeros(shape, np.float32)
    num_inputs = 1 if "depthwise_kernel" in name else shape[2]
    kernel[shape[0] // 2, shape[1] // 2] = 1 / num_inputs
    return kernel
