"""The limit on the norm of convolution kernels, applied after every optimizer step."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from metrabs.backbones.adaptation import Rule


def kernel_norm_constraint(limit: float, depthwise: bool) -> tf.keras.constraints.Constraint:
    """Scales kernels down to an L2 norm of at most `limit`, per output filter.

    A kernel w of norm n becomes `w * clip(n, 0, limit) / (n + 1e-7)`, so even kernels below the
    limit shrink slightly (as in the original).

    Args:
        limit: Largest norm.
        depthwise: Whether the kernel is `[h, w, channels, 1]`, and each channel is a filter.
    """
    axis = [0, 1] if depthwise else [0, 1, 2]
    return tf.keras.constraints.MinMaxNorm(0.0, limit, rate=1.0, axis=axis)


def limit_kernel_norms(limit: float) -> Rule:
    """A rule that constrains all convolutions except those of squeeze-and-excitation blocks."""

    def rule(cls: type, config: dict[str, Any]) -> tuple[type, dict[str, Any]]:
        """Adds the constraint to convolutions outside of squeeze-and-excitation blocks."""
        if math.isinf(limit) or "_se_" in config["name"] or config["name"].startswith("se_"):
            return cls, config
        if issubclass(cls, tf.keras.layers.DepthwiseConv2D):
            return cls, {**config, "depthwise_constraint": kernel_norm_constraint(limit, True)}
        if issubclass(cls, tf.keras.layers.Conv2D):
            return cls, {**config, "kernel_constraint": kernel_norm_constraint(limit, False)}
        return cls, config

    return rule
