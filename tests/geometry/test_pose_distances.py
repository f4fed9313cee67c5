from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry.pose_distances import (
    absolute_distances,
    aligned_distances,
    mean_over_valid,
    relative_distances,
    worst_distances,
)


def make_poses():
    true = np.random.default_rng(0).normal(size=(3, 6, 3)) * 300 + [0, 0, 4000]
    return true + [30, 40, 0], true


def test_a_shift_is_an_absolute_distance_only():
    pred, true = make_poses()
    assert absolute_distances(pred, true)[0] == pytest.approx(np.full([3, 6], 50.0))
    for root in (None, 2, -1):
        assert relative_distances(pred, true, root=root)[0] == pytest.approx(np.zeros([3, 6]))
    assert aligned_distances(pred, true)[0] == pytest.approx(np.zeros([3, 6]), abs=1e-6)


def test_invalid_joints_have_no_distance_and_may_hold_anything():
    pred, true = make_poses()
    mask = np.ones([3, 6], bool)
    mask[1, 2] = False
    true[1, 2] = np.nan
    for measure in (absolute_distances, relative_distances, aligned_distances):
        distances, counted = measure(pred, true, mask)
        assert distances[1, 2] == 0 and np.isfinite(distances).all()
        assert (counted == mask).all()


def test_poses_without_their_root_or_with_two_joints_do_not_count():
    pred, true = make_poses()
    mask = np.ones([3, 6], bool)
    mask[1, 0] = False
    mask[2, 2:] = False
    assert relative_distances(pred, true, mask, root=0)[1].any(axis=1).tolist() == [1, 0, 1]
    assert aligned_distances(pred, true, mask)[1].any(axis=1).tolist() == [1, 1, 0]


def test_the_worst_joint_is_a_valid_one():
    distances = np.array([[1.0, 9.0], [3.0, 2.0], [5.0, 5.0]])
    worst, has_joints = worst_distances(distances, np.array([[1, 0], [1, 1], [0, 0]], bool))
    assert worst.tolist() == [1, 3, 0] and has_joints.tolist() == [True, True, False]


def test_the_mean_of_nothing_is_nan():
    assert np.isnan(mean_over_valid(np.ones(3), np.zeros(3, bool)))
    assert mean_over_valid(np.array([1.0, 5.0]), np.array([True, False])) == 1
