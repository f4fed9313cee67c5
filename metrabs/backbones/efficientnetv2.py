"""EfficientNetV2 from `keras.applications`, with fixed padding and a centred last stride.

Receptive field centre of feature i: 32 i + 16 (centred) or 32 i pixels, and 32 i + 31 in the
unchanged network. Input in -1..1 for all sizes, also B0 to B3 (as in the original).

XL is also built by Keras, from a table of its stages. Keras names the blocks of a stage by
letters, which are too few for the 32 blocks of its sixth stage: the last six of them are called
block7, and the blocks of the seventh stage block8.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Optional

import tensorflow as tf

from metrabs.backbones.adaptation import Rule, pad_fixed

# Number of blocks, stride of the first one, expansion, channels in and out; as published.
_XL_STAGES = (
    (4, 1, 1, 32, 32),
    (8, 2, 4, 32, 64),
    (8, 2, 4, 64, 96),
    (16, 2, 4, 96, 192),
    (24, 1, 6, 192, 256),
    (26, 2, 6, 256, 512),
    (6, 1, 6, 512, 512),
    (8, 1, 6, 512, 640),
)
_NUM_FUSED_STAGES = 3
_RECURSION_LIMIT = 4000


def efficientnetv2(size: str) -> Callable[[Optional[str]], tf.keras.Model]:
    """Returns a builder `(weights) -> network without head`.

    Args:
        size: 'B0'..'B3', 'S', 'M', 'L', or 'XL', of which Keras has no weights.
    """

    def build(weights: Optional[str]) -> tf.keras.Model:
        """Builds the Keras application without its classifier."""
        constructor = (
            _efficientnetv2_xl
            if size == "XL"
            else getattr(tf.keras.applications, f"EfficientNetV2{size}")
        )
        return constructor(
            include_top=False,
            include_preprocessing=False,
            weights=weights,
            input_shape=(None, None, 3),
        )

    return build


def efficientnetv2_rules(network: tf.keras.Model, centered_stride: bool) -> list[Rule]:
    """The changes of padding and stride; layer names are the same in all sizes."""
    fixed = dict.fromkeys(
        ("stem_conv", "block2a_expand_conv", "block3a_expand_conv", "block4a_dwconv2"), 0
    )
    return [pad_fixed({**fixed, "block6a_dwconv2": int(centered_stride)})]


def _efficientnetv2_xl(**kwargs: Any) -> tf.keras.Model:
    # The constructor of all sizes has no public name in Keras.
    from keras.src.applications.efficientnet_v2 import EfficientNetV2

    # Keras follows the layers from the last to the first by recursion, here and whenever the
    # network is rebuilt; there are more of them than Python allows by default.
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _RECURSION_LIMIT))
    return EfficientNetV2(
        width_coefficient=1.0,
        depth_coefficient=1.0,
        default_size=512,
        blocks_args=[_stage(i, *row) for i, row in enumerate(_XL_STAGES)],
        model_name="efficientnetv2-xl",
        **kwargs,
    )


def _stage(
    index: int, num_blocks: int, stride: int, expansion: int, channels_in: int, channels_out: int
) -> dict[str, Any]:
    """Describes a stage in the format of Keras."""
    is_fused = index < _NUM_FUSED_STAGES
    return {
        "kernel_size": 3,
        "num_repeat": num_blocks,
        "input_filters": channels_in,
        "output_filters": channels_out,
        "expand_ratio": expansion,
        "se_ratio": 0 if is_fused else 0.25,
        "strides": stride,
        "conv_type": int(is_fused),
    }
