"""Correspondence, by name, of the model's joints to output skeletons and 2D annotations."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.geometry.projection import affine_combination

_logger = logging.getLogger(__name__)


def skeleton_indices(
    model_names: Sequence[str], target_names: Sequence[str], skeleton: str
) -> list[int]:
    """Finds the joints of an output skeleton among the model's.

    For a target joint n of skeleton s, the model's joint `n_s` is preferred over `n`.

    Deviation: the original implementation uses `n_h36m` for any skeleton.

    Args:
        model_names: Names of the model's joints.
        target_names: Names of the skeleton's joints, without suffix.
        skeleton: Name of the skeleton, such as 'h36m'; empty for all joints of the model.

    Raises:
        UserError: the model lacks a joint of the skeleton.
    """
    if not skeleton:
        return list(range(len(model_names)))
    index_of = {name: index for index, name in enumerate(model_names)}
    missing = [n for n in target_names if n not in index_of and f"{n}_{skeleton}" not in index_of]
    if missing:
        raise UserError(
            f"The model has no joints for {', '.join(missing)} of skeleton '{skeleton}'. "
            "Choose a skeleton that it predicts, or leave the skeleton out to keep all joints."
        )
    return [index_of.get(f"{n}_{skeleton}", index_of.get(n, -1)) for n in target_names]


@dataclasses.dataclass(frozen=True)
class Joints2dMatch:
    """How the joints of a 2D dataset correspond to averages of the model's joints.

    Attributes:
        weights: `[J, K]`, columns sum to one: the average of the partners of each kept 2D joint.
        kept_indices: which K of the 2D dataset's joints have partners, in their order.
    """

    weights: np.ndarray
    kept_indices: tuple[int, ...]

    def average(self, coords: tf.Tensor) -> tf.Tensor:
        """Model joints `[B, J, 2 or more]` to 2D-like joints `[B, K, 2]`, same unit."""
        return affine_combination(coords[..., :2], tf.constant(self.weights))


def match_2d_joints(model_names: Sequence[str], names2d: Sequence[str]) -> Joints2dMatch:
    """Matches 2D joints with all model joints whose names start with theirs.

    2D datasets are labelled without a precise definition of joints, so a 2D 'lwri' is compared
    with the average of 'lwri', 'lwri_h36m' and so on.

    2D joints without a partner (in models with few joints) are ignored; this is logged once.

    Raises:
        UserError: no 2D joint has a partner.
    """
    partners = [[i for i, n in enumerate(model_names) if n.startswith(n2d)] for n2d in names2d]
    kept = tuple(k for k, indices in enumerate(partners) if indices)
    if not kept:
        raise UserError(
            f"None of the 2D joints ({', '.join(names2d)}) is the beginning of the name of a "
            "joint of the model; choose a 2D dataset that shares joints with the 3D dataset."
        )
    if len(kept) < len(names2d):
        _log_dropped_once(tuple(n for k, n in enumerate(names2d) if k not in kept))
    weights = np.zeros([len(model_names), len(kept)], np.float32)
    for column, k in enumerate(kept):
        weights[partners[k], column] = 1 / len(partners[k])
    return Joints2dMatch(weights, kept)


@functools.cache
def _log_dropped_once(names: tuple[str, ...]) -> None:
    _logger.warning(
        "The 2D joints %s have no partner among the model's joints; the loss ignores them.",
        ", ".join(names),
    )
