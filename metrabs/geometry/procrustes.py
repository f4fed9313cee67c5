"""Alignment of predicted to true poses by rotation, translation and scale (Procrustes)."""

from __future__ import annotations

from typing import NamedTuple, Optional

import numpy as np


class SimilarityTransform(NamedTuple):
    """The map `x -> (x - mean_pred) @ rotation * scale + mean_true` of row vectors.

    Shapes: means `[batch, 1, 3]`, rotation `[batch, 3, 3]`, scale `[batch, 1, 1]`.
    """

    mean_pred: np.ndarray
    rotation: np.ndarray
    scale: np.ndarray
    mean_true: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Transforms points `[batch, n, 3]`."""
        return (points - self.mean_pred) @ self.rotation * self.scale + self.mean_true


def rigid_align(
    pred: np.ndarray,
    true: np.ndarray,
    mask: Optional[np.ndarray] = None,
    scale: bool = True,
    reflection: bool = False,
) -> np.ndarray:
    """Moves one or many predicted poses as close as possible to the true ones (least squares).

    Args:
        pred: Predicted poses `[joints, 3]` or `[batch, joints, 3]`.
        true: True poses, same shape.
        mask: Valid joints, bool `[joints]` or `[batch, joints]`; None means all. They determine
            the transform, and all joints are transformed. With fewer than three, the rotation is
            arbitrary but finite.
        scale: Allow a change of scale.
        reflection: Allow mirroring where it fits better.

    Returns:
        The transformed predictions, float64, in the shape of `pred`.
    """
    pred, true = np.asarray(pred, np.float64), np.asarray(true, np.float64)
    shape = pred.shape
    pred, true = pred.reshape(-1, *shape[-2:]), true.reshape(-1, *shape[-2:])
    is_valid = np.ones(pred.shape[:2], bool) if mask is None else np.reshape(mask, pred.shape[:2])
    transform = find_similarity_transform(pred, true, is_valid, scale, reflection)
    return transform.apply(pred).reshape(shape)


def find_similarity_transform(
    pred: np.ndarray, true: np.ndarray, mask: np.ndarray, scale: bool, reflection: bool
) -> SimilarityTransform:
    """Finds the transforms of `rigid_align` for `[batch, joints, 3]` arrays."""
    mean_pred, centered_pred, norm_pred = _normalized(pred, mask)
    mean_true, centered_true, norm_true = _normalized(true, mask)
    correlation = centered_pred.transpose(0, 2, 1) @ centered_true
    # A pose with NaN must not affect the others; its own result is NaN because of its mean.
    left, singular_values, right_t = np.linalg.svd(np.nan_to_num(correlation))
    if not reflection:
        sign = np.where(np.linalg.det(left @ right_t) < 0, -1.0, 1.0)
        left[:, :, -1] *= sign[:, np.newaxis]
        singular_values[:, -1] *= sign
    factor = np.ones_like(norm_pred)
    if scale:
        factor = norm_true / np.maximum(norm_pred, 1e-300)
        factor = factor * singular_values.sum(axis=-1)[:, np.newaxis, np.newaxis]
    return SimilarityTransform(mean_pred, left @ right_t, factor, mean_true)


def _normalized(points: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the mean of valid points, these points centred with unit norm, and their norm."""
    weights = mask[..., np.newaxis]
    points = np.where(weights, points, 0.0)
    count = np.maximum(weights.sum(axis=1, keepdims=True), 1)
    mean = points.sum(axis=1, keepdims=True) / count
    centered = (points - mean) * weights
    norm = np.sqrt(np.square(centered).sum(axis=(1, 2), keepdims=True))
    return mean, centered / np.maximum(norm, 1e-300), norm
