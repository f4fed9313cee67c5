"""Names of backbone layers in the original implementation.

EfficientNetV2 is named as in its official checkpoints: blocks are numbered through all stages,
and layers within a block are numbered by kind. All other backbones are named as in Keras.
"""

from __future__ import annotations

import re
from collections import Counter

import tensorflow as tf

from metrabs.errors import UserError

_KINDS = {
    "conv": "conv2d", "bn": "tpu_batch_normalization", "dwconv2": "depthwise_conv2d",
    "se_reduce": "se/conv2d", "se_expand": "se/conv2d_1",
}  # fmt: skip
_ENDS = {"stem": "stem", "top": "head"}
_BLOCK_LAYER = re.compile(r"block(\d+)(.)_(.+)")


def original_layer_names(network: tf.keras.Model, backbone: str) -> dict[str, str]:
    """Returns {our layer name: original layer name} for layers with weights.

    Args:
        network: The backbone without its input scaling.
        backbone: Canonical name of the backbone, such as 'efficientnetv2-s'.
    """
    names = [layer.name for layer in network.layers if layer.weights]
    if not backbone.startswith("efficientnetv2-"):
        return {name: name for name in names}
    return {ours: f"{backbone}/{official}" for ours, official in _efficientnetv2(names).items()}


def all_suffixes(name: str) -> list[str]:
    """Returns a slash-separated name and all its suffixes, longest first."""
    parts = name.split("/")
    return ["/".join(parts[i:]) for i in range(len(parts))]


def match_names(
    wanted: dict[str, tuple[int, ...]], available: dict[str, tuple[int, ...]], what: str
) -> dict[str, str]:
    """Finds each wanted variable among those of a file, with any scopes preceding its name.

    Args:
        wanted: Wanted variables, {name: shape}.
        available: Variables of the file, {name: shape}.
        what: Name of the file in error messages.

    Returns:
        {wanted name: name in the file}.

    Raises:
        UserError: a variable is missing, ambiguous or of another shape.
    """
    by_suffix: dict[str, list[str]] = {}
    for name in available:
        for suffix in all_suffixes(name):
            by_suffix.setdefault(suffix, []).append(name)
    candidates = {
        name: [name] if name in available else by_suffix.get(name, []) for name in wanted
    }
    missing = [name for name, found in candidates.items() if not found]
    if missing:
        raise UserError(
            f"{what} lacks {len(missing)} of {len(wanted)} variables of this backbone, for "
            f"example '{missing[0]}'. Name the backbone it was made with by --backbone."
        )
    for name, found in candidates.items():
        if len(found) > 1:
            raise UserError(f"{what} has several variables for '{name}': {', '.join(found)}.")
        if available[found[0]] != wanted[name]:
            raise UserError(
                f"'{found[0]}' of {what} has the shape {available[found[0]]}, this backbone needs "
                f"{wanted[name]}. Name the backbone it was made with by --backbone."
            )
    return {name: found[0] for name, found in candidates.items()}


def _efficientnetv2(names: list[str]) -> dict[str, str]:
    blocks: dict[str, int] = {}
    counts: Counter[str] = Counter()
    result = {}
    for name in names:
        block, part = _split(name, blocks)
        kind = _KINDS[part if part in _KINDS else part.rpartition("_")[2]]
        number = counts[f"{block}/{kind}"]
        counts[f"{block}/{kind}"] += 1
        result[name] = f"{block}/{kind}" + (f"_{number}" if number else "")
    return result


def _split(name: str, blocks: dict[str, int]) -> tuple[str, str]:
    """Splits 'block2a_expand_conv' into ('blocks_1', 'expand_conv'), numbering new blocks."""
    match = _BLOCK_LAYER.fullmatch(name)
    if match is None:
        end, _, part = name.partition("_")
        return _ENDS[end], part
    index = blocks.setdefault(match[1] + match[2], len(blocks))
    return f"blocks_{index}", match[3]
