from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.geometry import masked
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@in_all_run_modes
def test_masked_mean_ignores_masked_entries(wrap, rng):
    values = rng.normal(size=(3, 6, 2)).astype(np.float32)
    mask = np.array([[1, 1, 0, 0, 1, 0]] * 3, bool)
    disturbed = np.where(mask[..., np.newaxis], values, np.nan)
    mean = wrap(lambda v: masked.masked_mean(v, mask, axis=1))(tf.constant(disturbed))
    assert_close(mean, values[:, mask[0]].mean(axis=1))


@in_all_run_modes
@pytest.mark.parametrize("axis", [None, 0, 1, [0, 1]])
def test_statistics_of_nothing_are_zero_with_finite_gradients(wrap, axis):
    mask = np.zeros((2, 3), bool)

    def value_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(masked.masked_mean(x, mask, axis=axis))
        return y, tape.gradient(y, x)

    value, gradient = wrap(value_and_gradient)(tf.ones([2, 3, 2]))
    assert value == 0
    assert np.all(gradient.numpy() == 0)


def test_mean_without_mask_is_the_plain_mean(rng):
    values = rng.normal(size=(4, 5, 3)).astype(np.float32)
    assert_close(masked.masked_mean(values, axis=1), values.mean(axis=1))
    assert_close(masked.masked_mean(values), values.mean())


def test_mean_over_everything_counts_coordinates():
    values = np.array([[[1.0, 3.0], [100.0, 100.0]]], np.float32)
    assert masked.masked_mean(values, np.array([[True, False]])) == 2.0


@in_all_run_modes
def test_spread_divides_by_the_number_of_points(wrap):
    square = tf.constant([[[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]])
    mean, stdev = wrap(masked.masked_mean_and_stdev)(square)
    assert_close(mean, np.zeros([1, 1, 2]), atol=1e-7)
    assert_close(stdev, np.full([1, 1, 1], np.sqrt(2)))


@in_all_run_modes
def test_spread_of_one_point_has_a_finite_gradient(wrap):
    mask = np.array([[True, False], [False, False]])

    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            stdev = masked.masked_mean_and_stdev(x, mask)[1]
        return stdev, tape.gradient(stdev, x)

    stdev, gradient_x = wrap(gradient)(tf.ones([2, 2, 3]))
    assert_close(stdev, np.full([2, 1, 1], 1e-5))
    assert np.all(np.isfinite(gradient_x))


def test_fixed_reference_replaces_the_mean():
    values = np.array([[[3.0, 4.0], [3.0, 4.0]]], np.float32)
    origin = np.zeros([1, 1, 2], np.float32)
    mean, stdev = masked.masked_mean_and_stdev(values, fixed_ref=origin)
    assert_close(mean, np.zeros([1, 1, 2]))
    assert_close(stdev, np.full([1, 1, 1], 5.0))


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-5000, 5000), seed=st.integers(0, 100))
def test_centred_pose_does_not_depend_on_position(shift, seed):
    rng = np.random.default_rng(seed)
    pose = rng.uniform(-500, 500, size=(2, 7, 3)).astype(np.float32)
    mask = rng.random((2, 7)) < 0.7
    for arguments in [{"mask": mask}, {"center_is_mean": False}, {"center_joints": [1, 2]}]:
        centred = masked.center_relative_pose(pose, **arguments)
        moved = masked.center_relative_pose(pose + np.float32(shift), **arguments)
        rows = mask.any(axis=1) if "mask" in arguments else slice(None)
        assert_close(moved.numpy()[rows], centred.numpy()[rows], atol=5e-3)


def test_masked_centre_joints_do_not_count():
    pose = np.array([[[1.0], [5.0], [9.0]]], np.float32)
    mask = np.array([[True, True, False]])
    centred = masked.center_relative_pose(pose, mask, center_joints=[1, 2])
    assert_close(centred, pose - 5)


def test_aligned_2d_skeletons_have_the_centre_and_spread_of_the_truth(rng):
    pred, true = rng.normal(size=(2, 3, 8, 2)).astype(np.float32) * 40
    mask = rng.random((3, 8)) < 0.8
    aligned = masked.align_2d_skeletons(pred, true, mask)
    for actual, expected in zip(
        masked.masked_mean_and_stdev(aligned, mask), masked.masked_mean_and_stdev(true, mask)
    ):
        assert_close(actual, expected)


def test_ramp_is_one_below_and_zero_above_its_limits():
    assert_close(
        masked.ramp(tf.constant([0.0, 50.0, 75.0, 100.0, 150.0, 900.0]), 50, 150),
        [1, 1, 0.75, 0.5, 0, 0],
    )


def test_ramp_matches_the_original(golden):
    data = golden("train_soft_argmax")
    assert_close(masked.ramp(data["auc_x"], 0, 150), data["auc_0_150"])
    assert_close(masked.ramp(data["auc_x"], 50, 150), data["auc_50_150"])
