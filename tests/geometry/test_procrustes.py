from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from metrabs.geometry.procrustes import find_similarity_transform, rigid_align
from tests.golden.tolerances import assert_close


def make_poses(seed, num_poses=3, num_joints=9):
    return np.random.default_rng(seed).normal(size=(num_poses, num_joints, 3)) * 300


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.2, 5))
def test_alignment_undoes_a_similarity_transform(seed, scale):
    true = make_poses(seed)
    rotations = Rotation.random(3, random_state=seed).as_matrix()
    pred = true @ rotations * scale + np.array([100, -4000, 2000])
    assert_close(rigid_align(pred, true), true, rtol=1e-9)
    transform = find_similarity_transform(pred, true, np.ones((3, 9), bool), True, False)
    assert_close(transform.scale, np.full((3, 1, 1), 1 / scale), rtol=1e-9)
    assert_close(transform.rotation, rotations.transpose(0, 2, 1), rtol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_result_does_not_depend_on_the_placement_of_the_prediction(seed):
    true, pred = make_poses(seed), make_poses(seed + 1)
    rotations = Rotation.random(3, random_state=seed).as_matrix()
    moved = pred @ rotations * 1.7 + 55
    assert_close(rigid_align(moved, true), rigid_align(pred, true), rtol=1e-7)


def test_no_other_rotation_fits_better():
    true, pred = make_poses(0, 1), make_poses(1, 1)
    aligned = rigid_align(pred, true, scale=False)
    best = np.square(aligned - true).sum()
    centred = pred - pred.mean(axis=1, keepdims=True)
    for rotation in Rotation.random(100, random_state=2).as_matrix():
        other = centred @ rotation + true.mean(axis=1, keepdims=True)
        assert np.square(other - true).sum() >= best


@pytest.mark.parametrize("reflection", [False, True])
def test_mirrored_poses_are_matched_only_if_reflection_is_allowed(reflection):
    true = make_poses(3)
    pred = true * [-1, 1, 1]
    aligned = rigid_align(pred, true, reflection=reflection)
    assert (np.abs(aligned - true).max() < 0.01) == reflection


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("reflection", [False, True])
def test_invalid_joints_do_not_influence_the_transform(scale, reflection):
    true, pred = make_poses(4), make_poses(5)
    mask = np.random.default_rng(6).random((3, 9)) < 0.7
    aligned = rigid_align(
        pred, np.where(mask[..., np.newaxis], true, np.nan), mask, scale, reflection
    )
    for i in range(3):
        only_valid = rigid_align(pred[i, mask[i]], true[i, mask[i]], None, scale, reflection)
        assert_close(aligned[i, mask[i]], only_valid, rtol=1e-9)


@pytest.mark.parametrize("num_valid", [0, 1, 2])
def test_too_few_joints_give_finite_results(num_valid):
    true, pred = make_poses(7), make_poses(8)
    mask = np.zeros((3, 9), bool)
    mask[:, :num_valid] = True
    assert np.all(np.isfinite(rigid_align(pred, true, mask)))


def test_a_pose_with_nan_does_not_affect_the_others():
    true, pred = make_poses(9), make_poses(10)
    expected = rigid_align(pred, true)
    pred[1, 0] = np.nan
    aligned = rigid_align(pred, true)
    assert np.isnan(aligned[1]).all()
    assert_close(aligned[[0, 2]], expected[[0, 2]])


def test_single_pose_is_a_batch_of_one():
    true, pred = make_poses(11), make_poses(12)
    assert_close(rigid_align(pred[1], true[1]), rigid_align(pred, true)[1], rtol=1e-12)
