"""Thinning of sequences: a pose is kept only if it differs enough from the kept ones."""

from __future__ import annotations

from typing import Optional

import numpy as np

_INITIAL_CAPACITY = 16
_FEW = 16  # so few poses are compared exactly rather than filtered further
_ROUNDING = 1 + 1e-4  # a generous bound on rounding in float32 distances


class AdaptivePoseSampler:
    """Decides for one 2D or 3D pose after another, in time order, whether to keep it.

    A pose is kept if some joint has moved by the threshold or more relative to each of the last
    kept poses (paper, supplementary material: "adaptive pose sampling"; details as in the original
    implementation). Use a new sampler for each sequence and camera.

    Args:
        threshold: Smallest movement of a joint that counts, in the unit of the poses (usually mm).
        check_validity: Whether to keep a pose also if it has a joint that the last kept pose did
            not have, and to compare only the joints that the pose has.
        assume_nan_unchanged: Whether a joint that is missing in one of two poses counts as
            unmoved; otherwise it counts as moved.
        buffer_size: Number of kept poses with which a new one is compared.
    """

    def __init__(
        self,
        threshold: float = 100,
        check_validity: bool = False,
        assume_nan_unchanged: bool = False,
        buffer_size: int = 1,
    ) -> None:
        self.threshold = threshold
        self.check_validity = check_validity
        self.assume_nan_unchanged = assume_nan_unchanged
        self.buffer_size = buffer_size
        self._kept: Optional[_RecentPoses] = None

    def keep_if_moved(self, pose: np.ndarray, threshold: Optional[float] = None) -> bool:
        """Returns whether a pose is kept; if so, later ones are compared with it.

        Args:
            pose: `[J, 2 or 3]`; NaN rows are missing joints. The first pose is kept if it has any
                joint; later ones are compared with it even if not (as in the original
                implementation).
            threshold: Threshold for this pose, such as a fraction of the person's size in the
                image; default: that of the sampler.
        """
        threshold = self.threshold if threshold is None else threshold
        pose = np.asarray(pose, np.float32)
        is_valid = ~np.isnan(pose).any(axis=-1)
        if self._kept is None:
            self._kept = _RecentPoses(self.buffer_size, pose.shape)
            self._kept.add(pose)
            return bool(is_valid.any())
        if not self._has_moved(self._kept, pose, is_valid, threshold):
            return False
        if self.assume_nan_unchanged:
            pose = np.where(np.isnan(pose), self._kept.newest, pose)
        self._kept.add(pose)
        return True

    def _has_moved(
        self, kept: _RecentPoses, pose: np.ndarray, is_valid: np.ndarray, threshold: float
    ) -> bool:
        if self.check_validity and (is_valid & np.isnan(kept.newest).any(axis=-1)).any():
            return True
        joints = np.flatnonzero(is_valid) if self.check_validity else np.arange(len(pose))
        # In slow motion the newest pose suffices to decide.
        if self._is_any_similar(kept.newest[np.newaxis], pose, joints, threshold):
            return False
        candidates = kept.near(np.where(is_valid[:, np.newaxis], pose, np.nan), threshold)
        if self._is_any_similar(candidates, pose, joints, threshold):
            return False
        return not self.assume_nan_unchanged or bool((kept.has_joint & is_valid).any())

    def _is_any_similar(
        self, candidates: np.ndarray, pose: np.ndarray, joints: np.ndarray, threshold: float
    ) -> bool:
        """Returns whether no joint has moved since any one of the candidates `[n, J, 2 or 3]`."""
        distances = np.linalg.norm(candidates[:, joints] - pose[joints], axis=-1)
        if not self.assume_nan_unchanged:  # NaN is not below the threshold
            return bool((distances < threshold).all(axis=1).any())
        is_known = ~np.isnan(distances)
        is_near = (distances < threshold) | ~is_known
        return bool((is_near.all(axis=1) & is_known.any(axis=1)).any())


class _RecentPoses:
    """The last poses that were added, in a ring buffer that finds near ones quickly.

    Args:
        size: Number of poses to remember.
        shape: Shape of a pose, (J, 2 or 3).
    """

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        num_joints, self._num_dims = shape
        self._size = size
        self._poses = np.empty((min(size, _INITIAL_CAPACITY), *shape), np.float32)
        # One row per coordinate, so that filtering by a coordinate reads consecutive memory.
        # Joints with any missing coordinate are NaN here.
        self._coordinates = np.empty((num_joints * self._num_dims, len(self._poses)), np.float32)
        self._num_with_joint = np.zeros(num_joints, int)
        self._count = 0
        self._newest = -1
        self._next_ranking = 1
        self._ranking = np.arange(num_joints * self._num_dims)

    @property
    def newest(self) -> np.ndarray:
        """The pose that was added last, `[J, 2 or 3]`."""
        return self._poses[self._newest]

    @property
    def has_joint(self) -> np.ndarray:
        """Whether any pose has the joint, bool `[J]`."""
        return self._num_with_joint > 0

    def add(self, pose: np.ndarray) -> None:
        """Adds a pose `[J, 2 or 3]`, in the place of the oldest one if the buffer is full."""
        if self._count == len(self._poses) < self._size:
            self._grow()
        self._newest = (self._newest + 1) % self._size
        if self._newest < self._count:
            self._num_with_joint -= ~np.isnan(self._coordinates[:: self._num_dims, self._newest])
        self._count = max(self._count, self._newest + 1)
        self._poses[self._newest] = pose
        is_missing = np.isnan(pose).any(axis=-1)
        self._coordinates[:, self._newest] = np.where(
            is_missing[:, np.newaxis], np.nan, pose
        ).ravel()
        self._num_with_joint += ~is_missing

    def near(self, pose: np.ndarray, distance: float) -> np.ndarray:
        """Returns all poses whose joints may be less than a distance from those of a pose.

        Coordinates that differ by more exclude a pose. Missing joints exclude nothing.

        Args:
            pose: `[J, 2 or 3]`, NaN for missing joints.
            distance: The largest distance of joints.

        Returns:
            `[n, J, 2 or 3]`.
        """
        self._update_ranking()
        found = np.arange(self._count)
        values, limit = pose.ravel(), distance * _ROUNDING
        for i in self._ranking[~np.isnan(values[self._ranking])]:
            if len(found) <= _FEW:
                break
            row = self._coordinates[i, : self._count]
            row = row if len(found) == self._count else row[found]
            found = found[~(np.abs(row - values[i]) > limit)]
        return self._poses[found]

    def _grow(self) -> None:
        capacity = min(2 * len(self._poses), self._size)
        poses, coordinates = self._poses, self._coordinates
        self._poses = np.empty((capacity, *poses.shape[1:]), np.float32)
        self._coordinates = np.empty((len(coordinates), capacity), np.float32)
        self._poses[: self._count] = poses
        self._coordinates[:, : self._count] = coordinates

    def _update_ranking(self) -> None:
        """Ranks coordinates by how much they vary, since those exclude most poses."""
        if self._count >= self._next_ranking:
            known = np.nan_to_num(self._coordinates[:, : self._count])
            self._ranking = np.argsort(-known.std(axis=1))
            self._next_ranking = 2 * self._count
