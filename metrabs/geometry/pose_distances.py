"""Distances of predicted from true joints: absolute, relative to a root, or after alignment.

All functions take a mask of valid joints; invalid true joints may hold anything.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from metrabs.geometry.procrustes import rigid_align

Mask = Optional[np.ndarray]

MIN_ALIGNABLE_JOINTS = 3


def relative_distances(
    pred_mm: np.ndarray, true_mm: np.ndarray, mask: Mask = None, root: Optional[int] = None
) -> tuple[np.ndarray, np.ndarray]:
    """Measures joints relative to a root joint or to the mean of the valid joints.

    Args:
        pred_mm: predicted poses `[n, joints, 3]`, mm.
        true_mm: true poses, same shape and frame.
        mask: bool `[n, joints]`, valid joints; None means all.
        root: index of the root joint (may be negative); None means the mean. Poses with an invalid
            root do not count.

    Returns:
        Distances `[n, joints]`, mm, 0 where invalid, and the mask of what counts.
    """
    mask = _full_mask(pred_mm, mask)
    difference = _masked_difference(pred_mm, true_mm, mask)
    if root is None:
        count = np.maximum(mask.sum(axis=1), 1)[:, np.newaxis, np.newaxis]
        center = difference.sum(axis=1, keepdims=True) / count
    else:
        center = difference[:, root, np.newaxis]
        mask = mask & mask[:, root, np.newaxis]
    return np.linalg.norm(difference - center, axis=-1) * mask, mask


def aligned_distances(
    pred_mm: np.ndarray, true_mm: np.ndarray, mask: Mask = None
) -> tuple[np.ndarray, np.ndarray]:
    """Measures joints after rigid alignment with scale of every pose.

    Poses with fewer than three valid joints do not count: their alignment is ambiguous.

    Returns:
        Distances `[n, joints]`, mm, 0 where invalid, and the mask of what counts.
    """
    mask = _full_mask(pred_mm, mask)
    mask = mask & (mask.sum(axis=1, keepdims=True) >= MIN_ALIGNABLE_JOINTS)
    aligned = rigid_align(pred_mm, true_mm, mask)
    return np.linalg.norm(_masked_difference(aligned, true_mm, mask), axis=-1), mask


def absolute_distances(
    pred_mm: np.ndarray, true_mm: np.ndarray, mask: Mask = None
) -> tuple[np.ndarray, np.ndarray]:
    """Measures joints in camera space.

    Returns:
        Distances `[n, joints]`, mm, 0 where invalid, and the mask of what counts.
    """
    mask = _full_mask(pred_mm, mask)
    return np.linalg.norm(_masked_difference(pred_mm, true_mm, mask), axis=-1), mask


def worst_distances(distances_mm: np.ndarray, mask: Mask = None) -> tuple[np.ndarray, np.ndarray]:
    """Finds the largest distance of every pose.

    Args:
        distances_mm: `[n, joints]`.
        mask: bool `[n, joints]`.

    Returns:
        Distances `[n]` and whether the pose has any valid joint `[n]`.
    """
    mask = _full_mask(distances_mm, mask)
    return np.where(mask, distances_mm, 0).max(axis=1), mask.any(axis=1)


def mean_over_valid(values: np.ndarray, mask: Mask = None) -> float:
    """Averages the valid entries; NaN where there is none."""
    valid = np.asarray(values)[_full_mask(values, mask)]
    return float(valid.mean()) if valid.size else float("nan")


def _full_mask(values: np.ndarray, mask: Mask) -> np.ndarray:
    """Returns the mask, or one that is true everywhere ([n, joints] for poses)."""
    if mask is not None:
        return np.asarray(mask, bool)
    shape = np.shape(values)
    return np.ones(shape[:2] if len(shape) == 3 else shape, bool)


def _masked_difference(pred: np.ndarray, true: np.ndarray, mask: np.ndarray) -> np.ndarray:
    difference = np.asarray(pred, np.float64) - np.asarray(true, np.float64)
    return np.where(mask[..., np.newaxis], difference, 0)
