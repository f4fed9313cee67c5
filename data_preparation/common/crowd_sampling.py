"""Thinning of sequences with several people whose identities are unknown."""

from __future__ import annotations

import numpy as np

from data_preparation.common.matching import assign_poses


class CrowdPoseSampler:
    """Decides for the people of one frame after another, in time order, who has moved.

    People are assigned to the reference poses so that they move as little as possible. Those who
    have moved enough replace their reference pose, and new people become references. References
    are never dropped, so that people who come back are found again. Use a new sampler for each
    sequence.

    Args:
        threshold_mm: Smallest movement of a joint that counts.
        min_joints: Number of joints that must have moved.
    """

    def __init__(self, threshold_mm: float = 100, min_joints: int = 1) -> None:
        self.threshold_mm = threshold_mm
        self.min_joints = min_joints
        self._references_mm: list[np.ndarray] = []

    def have_moved(self, poses_mm: np.ndarray) -> np.ndarray:
        """Returns who has moved or is new, bool `[p]`; later poses are compared with theirs.

        Args:
            poses_mm: `[p, J, 3]`, NaN for missing joints; p may differ between frames.
        """
        poses_mm = np.asarray(poses_mm, np.float32)
        has_moved = np.ones(len(poses_mm), bool)
        is_new = np.ones(len(poses_mm), bool)
        for i, k in assign_poses(np.array(self._references_mm), poses_mm):
            is_new[k] = False
            distances_mm = np.linalg.norm(self._references_mm[i] - poses_mm[k], axis=-1)
            has_moved[k] = np.sum(distances_mm >= self.threshold_mm) >= self.min_joints
            if has_moved[k]:
                self._references_mm[i] = poses_mm[k]
        self._references_mm += list(poses_mm[is_new])
        return has_moved
