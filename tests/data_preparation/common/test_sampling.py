from __future__ import annotations

import collections
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_preparation.common.sampling import AdaptivePoseSampler, _RecentPoses

POSE = np.random.default_rng(0).normal(0, 300, (6, 3))


def decisions(sampler, poses):
    return [sampler.keep_if_moved(pose) for pose in poses]


def shifted(*offsets):
    return [POSE + np.array(offset) for offset in offsets]


def test_the_threshold_itself_counts_as_movement():
    for distance, is_kept in ((99.9, False), (100, True)):
        moved = np.zeros((6, 3))
        moved[3, 1] = distance  # a single joint is enough
        assert decisions(AdaptivePoseSampler(100), [np.zeros((6, 3)), moved]) == [True, is_kept]


def test_poses_are_compared_with_the_last_kept_one():
    walk = shifted(*[(60 * i, 0, 0) for i in range(6)])
    assert decisions(AdaptivePoseSampler(100), walk) == [True, False, True, False, True, False]


def test_a_buffer_remembers_earlier_poses():
    walk = shifted((0, 0, 0), (5, 5, 5), (150, 0, 0), (0, 0, 0), (400, 0, 0))
    sampler = AdaptivePoseSampler(100, True, True, buffer_size=100)
    assert decisions(sampler, walk) == [True, False, True, False, True]


def test_a_full_buffer_forgets_the_oldest_pose():
    walk = shifted((0, 0, 0), (200, 200, 200), (400, 400, 400), (0, 0, 0))
    assert all(decisions(AdaptivePoseSampler(100, True, True, buffer_size=2), walk))


def test_a_pose_with_a_new_joint_is_kept():
    partial = POSE.copy()
    partial[3] = np.nan
    sampler = AdaptivePoseSampler(100, True, True, buffer_size=3)
    assert decisions(sampler, [partial, POSE, partial, POSE]) == [True, True, False, False]


@pytest.mark.parametrize("assume_nan_unchanged", [True, False])
def test_a_missing_joint_counts_as_moved_by_default(assume_nan_unchanged):
    partial = POSE.copy()
    partial[0] = np.nan
    sampler = AdaptivePoseSampler(100, assume_nan_unchanged=assume_nan_unchanged)
    assert decisions(sampler, [POSE, partial]) == [True, not assume_nan_unchanged]


def test_a_first_pose_without_joints_is_not_kept():
    nothing = np.full((6, 3), np.nan)
    assert decisions(AdaptivePoseSampler(100), [nothing, POSE]) == [False, True]


def naive_decisions(poses, threshold, check_validity, assume_nan_unchanged, buffer_size):
    """Compares each pose with all kept ones, one after another."""
    kept = collections.deque(maxlen=buffer_size)
    for pose in poses:
        pose = pose.astype(np.float32)
        is_valid = ~np.isnan(pose).any(axis=-1)
        if not kept:
            kept.append(pose)
            yield bool(is_valid.any())
            continue
        appears = check_validity and (is_valid & np.isnan(kept[-1]).any(axis=-1)).any()
        joints = is_valid if check_validity else slice(None)
        distances = [np.linalg.norm(other[joints] - pose[joints], axis=-1) for other in kept]
        if assume_nan_unchanged:
            known = [d[~np.isnan(d)] for d in distances if not np.isnan(d).all()]
            has_moved = bool(known) and min(d.max() for d in known) >= threshold
        else:
            has_moved = not any((d < threshold).all() for d in distances)
        if appears or has_moved:
            fills = assume_nan_unchanged
            kept.append(np.where(np.isnan(pose) & fills, kept[-1], pose))
        yield bool(appears or has_moved)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_poses=st.integers(1, 120),
    num_joints=st.integers(1, 5),
    num_dims=st.sampled_from([2, 3]),
    step_mm=st.sampled_from([5, 20, 60]),
    missing=st.sampled_from([0, 0.1, 0.5]),
    on_grid=st.booleans(),
    check_validity=st.booleans(),
    assume_nan_unchanged=st.booleans(),
    buffer_size=st.sampled_from([1, 2, 7, 40, 1000]),
)
def test_decisions_equal_those_of_a_comparison_with_all_kept_poses(
    seed,
    num_poses,
    num_joints,
    num_dims,
    step_mm,
    missing,
    on_grid,
    check_validity,
    assume_nan_unchanged,
    buffer_size,
):
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, step_mm, (num_poses, num_joints, num_dims))
    poses = rng.normal(0, 300, (num_joints, num_dims)) + np.cumsum(steps, axis=0)
    if on_grid:  # many distances are exactly the threshold
        poses = np.round(poses / 50) * 50
    poses[rng.random((num_poses, num_joints)) < missing] = np.nan
    poses[rng.random(poses.shape) < missing / 10] = np.nan  # single coordinates
    arguments = (100, check_validity, assume_nan_unchanged, buffer_size)
    expected = list(naive_decisions(poses, *arguments))
    assert decisions(AdaptivePoseSampler(*arguments), poses) == expected


def test_a_threshold_can_be_given_with_a_pose():
    sampler = AdaptivePoseSampler(check_validity=True)
    track_px = [np.zeros((4, 2)), np.full((4, 2), 6.0), np.full((4, 2), 9.0)]
    is_kept = [
        sampler.keep_if_moved(pose, threshold) for pose, threshold in zip(track_px, (10, 10, 10))
    ]
    assert is_kept == [True, False, True]


def test_missing_joints_cause_no_warnings():
    nothing = np.full((6, 3), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decisions(AdaptivePoseSampler(100, True, True, 10), [POSE, nothing, POSE + 200, nothing])


def test_few_of_many_poses_are_compared_exactly():
    rng = np.random.default_rng(0)
    poses = rng.uniform(-1000, 1000, (2000, 10, 3))
    kept = _RecentPoses(5000, (10, 3))
    for pose in poses:
        kept.add(pose)
    queries = poses + rng.uniform(-50, 50, poses.shape)
    for query, pose in zip(queries[::100], poses[::100]):
        found = kept.near(query, 100)
        assert len(found) <= 16
        assert (found == pose.astype(np.float32)).all(axis=(1, 2)).any()
