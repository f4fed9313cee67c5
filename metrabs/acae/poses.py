"""Poses to train an autoencoder on: validation, train-test split, batches."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from metrabs.errors import UserError

_logger = logging.getLogger(__name__)


def checked_poses(poses: np.ndarray, joint_names: Sequence[str]) -> np.ndarray:
    """Returns the poses if they have the shape `[n, joints, 3]`.

    Raises:
        UserError: they have another shape.
    """
    expected = (len(joint_names), 3)
    if np.ndim(poses) != 3 or np.shape(poses)[1:] != expected:
        raise UserError(
            f"Poses for {len(joint_names)} joints must have shape [n, {expected[0]}, 3], not "
            f"{list(np.shape(poses))}."
        )
    return poses


def drop_invalid_poses(poses: np.ndarray, kind: str) -> np.ndarray:
    """Drops poses that are not finite or not entirely in front of the camera.

    Args:
        poses: Camera-space poses `[n, joints, 3]`, mm.
        kind: Name of these poses in messages.

    Raises:
        UserError: no pose is left.
    """
    is_good = np.isfinite(poses).all(axis=(1, 2)) & (poses[..., 2] > 0).all(axis=1)
    if is_good.all() and len(poses):
        return poses
    if not is_good.any():
        raise UserError(
            f"None of the {len(poses)} {kind} poses is finite and in front of the camera (z > 0); "
            "camera-space coordinates are needed."
        )
    _logger.warning("Dropped %d of %d %s poses.", (~is_good).sum(), len(poses), kind)
    return poses[is_good]


def train_test_split(
    poses: np.ndarray, test_fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Splits poses at random into training and test poses."""
    order = np.random.default_rng(seed).permutation(len(poses))
    num_test = round(len(poses) * test_fraction)
    return poses[np.sort(order[num_test:])], poses[np.sort(order[:num_test])]


def batch_indices(
    num_poses: int, batch_size: int, start_step: int, num_steps: int, seed: int
) -> np.ndarray:
    """Samples the poses of some steps from an endless sequence of random permutations.

    The result depends on the step numbers only, not on where an earlier call ended.

    Returns:
        Indices `[num_steps, batch_size]`.
    """
    positions = np.arange(start_step * batch_size, (start_step + num_steps) * batch_size)
    epochs, places = np.divmod(positions, num_poses)
    indices = np.empty_like(positions)
    for epoch in range(epochs[0], epochs[-1] + 1):
        permutation = np.random.default_rng([seed, epoch]).permutation(num_poses)
        is_here = epochs == epoch
        indices[is_here] = permutation[places[is_here]]
    return indices.reshape(num_steps, batch_size)
