"""Consistency of the predictions in different skeleton formats.

Formats define joints of the same name at slightly different positions, so predictions of two
formats should differ by the true offset between both definitions. Where an image is annotated in
several formats at once, this offset is known for every pair of joints of the same body part:

    disagreement(f, g) = (pred_f - pred_g) - (true_f - true_g) = error_f - error_g

It is zero for a perfect model, and also for one that makes the same error in both formats: a
shift of the whole person does not count. It is split into the part along the viewing ray (depth)
and the part across it (lateral), since models with separate heads mainly disagree about depth.

The inconsistency of an image is the mean length of the disagreements over all pairs of formats of
a body part, then over the body parts, so that a part that all formats have does not outweigh the
others.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.geometry.pose_distances import mean_over_valid


@dataclasses.dataclass(frozen=True)
class FormatConsistency:
    """Inconsistency of images. NaN among the predictions makes the results NaN.

    Attributes:
        total_mm: Mean length of the disagreements `[images]`.
        depth_mm: Mean absolute part along the viewing ray `[images]`.
        lateral_mm: Mean length of the part across it `[images]`.
        is_known: Whether any body part has two annotated formats `[images]`; the values of other
            images are NaN.
        total_by_part_mm: Mean of the total over the images, for each body part.
    """

    total_mm: np.ndarray
    depth_mm: np.ndarray
    lateral_mm: np.ndarray
    is_known: np.ndarray
    total_by_part_mm: dict[str, float]

    def means(self) -> dict[str, float]:
        """Returns the means over all images with known values: total, depth, lateral (mm)."""
        values = {"total": self.total_mm, "depth": self.depth_mm, "lateral": self.lateral_mm}
        return {name: mean_over_valid(value, self.is_known) for name, value in values.items()}


def group_joints(
    joint_names: Sequence[str], base_name: Callable[[str], str]
) -> dict[str, list[int]]:
    """Finds the body parts that at least two formats have.

    Args:
        joint_names: Names such as 'lelb_h36m', 'lelb_coco', 'lelb'.
        base_name: Function that removes the format from a name, such as
            `metrabs.skeletons.tables.base_name`.

    Returns:
        {base name: indices of its joints}.
    """
    groups: dict[str, list[int]] = {}
    for index, name in enumerate(joint_names):
        groups.setdefault(base_name(name), []).append(index)
    return {name: indices for name, indices in groups.items() if len(indices) > 1}


def format_consistency(
    pred_mm: np.ndarray,
    true_mm: np.ndarray,
    groups: Mapping[str, Sequence[int]],
    mask: Optional[np.ndarray] = None,
) -> FormatConsistency:
    """Measures the inconsistency of predicted poses.

    Args:
        pred_mm: Predicted camera-space poses `[images, joints, 3]`, mm.
        true_mm: True camera-space poses in all formats, same shape.
        groups: Joints of the same body part, see `group_joints`.
        mask: bool `[images, joints]`, which joints have a known truth; None: all.

    Raises:
        UserError: no body part occurs in two formats.
    """
    if not groups:
        raise UserError(
            "Consistency needs joints that occur in at least two skeleton formats; there are none."
        )
    pred_mm, true_mm = np.asarray(pred_mm, np.float64), np.asarray(true_mm, np.float64)
    if mask is None:
        mask = np.ones(pred_mm.shape[:2], bool)
    parts, known = zip(
        *(_part_disagreement(pred_mm, true_mm, indices, mask) for indices in groups.values())
    )
    total, depth, lateral = _masked_mean(np.stack(parts), np.stack(known), axis=0).T
    by_part = {
        name: mean_over_valid(part[:, 0], is_known)
        for name, part, is_known in zip(groups, parts, known)
    }
    return FormatConsistency(total, depth, lateral, np.any(known, axis=0), by_part)


def _part_disagreement(
    pred: np.ndarray, true: np.ndarray, indices: Sequence[int], mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Measures one body part.

    Returns:
        Mean total, depth and lateral disagreement `[images, 3]` and where they are known
        `[images]`.
    """
    first, second = np.array(list(itertools.combinations(indices, 2))).T
    is_valid = mask[:, first] & mask[:, second]
    valid = is_valid[..., np.newaxis]
    errors = pred - true
    disagreement = np.where(valid, errors[:, first] - errors[:, second], 0)
    middle = np.where(valid, (true[:, first] + true[:, second]) / 2, [0, 0, 1])
    rays = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    along = np.sum(disagreement * rays, axis=-1)
    across = np.linalg.norm(disagreement - along[..., np.newaxis] * rays, axis=-1)
    lengths = np.linalg.norm(disagreement, axis=-1)
    values = np.stack([lengths, np.abs(along), across], axis=-1)
    return _masked_mean(values, is_valid, axis=1), is_valid.any(axis=1)


def _masked_mean(values: np.ndarray, mask: np.ndarray, axis: int) -> np.ndarray:
    """Averages valid entries `[..., d]` along an axis, NaN without any; the mask is `[...]`."""
    count = mask.sum(axis=axis)[..., np.newaxis]
    total = np.where(mask[..., np.newaxis], values, 0).sum(axis=axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
