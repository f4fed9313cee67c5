from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.errors import UserError
from metrabs.geometry import projection
from metrabs.geometry.reconstruction import (
    OUTSIDE_WEIGHT,
    REGULARIZATION,
    full_perspective_offset,
    reconstruct_absolute,
)
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close

CROP = {"proc_side": 256, "stride": 32, "centered_stride": True}


def make_example(seed, num_examples=3, num_points=11, depth=3000.0):
    """People of about 1.6 m in view of a camera: crop pixels, relative poses, camera, truth."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(-800, 800, (num_examples, num_points, 3)) + [0, 0, depth]
    focal = 256 * depth / 2600
    intrinsics = np.array([[focal, 0, 128], [0, focal, 128], [0, 0, 1]], np.float32)
    intrinsics = np.repeat(intrinsics[np.newaxis], num_examples, axis=0)
    true = true.astype(np.float32)
    image = projection.project_pose(true, intrinsics).numpy()
    relative = true - rng.uniform(-300, 300, (num_examples, 1, 3)).astype(np.float32)
    relative[..., 2] -= depth
    return image, relative, intrinsics, true


@in_all_run_modes
@pytest.mark.parametrize("mix", [None, 0.5, 1.0])
def test_consistent_predictions_give_the_true_pose(wrap, mix):
    image, relative, intrinsics, true = make_example(seed=0)
    pose = wrap(
        lambda i, r: reconstruct_absolute(i, r, intrinsics, **CROP, mix_3d_inside_fov=mix)
    )(tf.constant(image), tf.constant(relative))
    # The regulariser pulls the depth towards zero, by a few millimetres here.
    assert np.abs(pose.numpy() - true).max() < 30


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), far=st.floats(-1e4, 1e4))
def test_examples_do_not_influence_each_other_by_default(seed, far):
    image, relative, intrinsics, _ = make_example(seed)
    image[0] += np.float32(far)
    for weak in (False, True):
        arguments = {**CROP, "mix_3d_inside_fov": 0.5, "weak_perspective": weak}
        together = reconstruct_absolute(image, relative, intrinsics, **arguments)
        alone = reconstruct_absolute(image[1:2], relative[1:2], intrinsics[1:2], **arguments)
        assert_close(together[1:2], alone, rtol=1e-6)


def test_batch_scale_of_one_example_is_its_own_scale():
    image, relative, intrinsics, _ = make_example(seed=4, num_examples=1)
    poses = [
        reconstruct_absolute(image, relative, intrinsics, **CROP, scale=scale)
        for scale in ("example", "batch")
    ]
    assert_close(poses[0], poses[1], rtol=1e-6)


def test_joints_in_view_lie_on_their_rays_and_others_follow_the_relative_pose():
    image, relative, intrinsics, _ = make_example(seed=5)
    relative += np.random.default_rng(5).normal(size=relative.shape).astype(np.float32) * 20
    image[:, 0] = 255.0
    pose = reconstruct_absolute(image, relative, intrinsics, **CROP).numpy()
    inside = projection.is_within_fov(image, **CROP).numpy()
    assert not inside[:, 0].any() and inside.sum() > 10
    rays = projection.normalize_image_points(image, intrinsics)
    offset = full_perspective_offset(rays, relative, inside)[:, np.newaxis]
    assert_close(pose[~inside], (relative + offset).numpy()[~inside])
    assert_close(projection.project(pose)[inside], rays[inside])
    assert_close(pose[..., 2], (relative + offset)[..., 2])


@in_all_run_modes
@pytest.mark.parametrize("scale", ["example", "batch"])
def test_offset_solves_the_stated_least_squares_problem(wrap, scale):
    rng = np.random.default_rng(6)
    points = rng.normal(size=(4, 9, 2)).astype(np.float32) * 0.4 + 0.3
    relative = rng.normal(size=(4, 9, 3)).astype(np.float32) * 300
    inside = rng.random((4, 9)) < 0.7
    inside[3] = False
    actual = wrap(lambda p, r: full_perspective_offset(p, r, inside, scale))(
        tf.constant(points), tf.constant(relative)
    )
    expected = solve_by_general_least_squares(points, relative, inside, scale)
    assert_close(actual[:3], expected[:3], rtol=1e-5)
    assert_close(actual[3:], expected[3:], rtol=1e-4)


def solve_by_general_least_squares(points, relative, inside, scale):
    points, relative = points.astype(np.float64), relative.astype(np.float64)
    right = points * relative[..., 2:] - relative[..., :2]
    axes = (1, 2) if scale == "example" else (0, 1, 2)
    scale2d = np.sqrt(np.mean(points**2, axis=axes, keepdims=True)) + np.zeros([4, 1, 1])
    scale_right = np.sqrt(np.mean(right**2, axis=axes, keepdims=True)) + np.zeros([4, 1, 1])
    solutions = []
    for i in range(len(points)):
        weights = np.repeat(inside[i] + OUTSIDE_WEIGHT, 2)
        matrix = np.concatenate(
            [np.tile(np.eye(2), (9, 1)), -(points[i] / scale2d[i]).reshape(-1, 1)], axis=1
        )
        rows = np.concatenate([weights[:, np.newaxis] * matrix, REGULARIZATION**0.5 * np.eye(3)])
        values = np.concatenate([weights * (right[i] / scale_right[i]).reshape(-1), np.zeros(3)])
        solution = np.linalg.lstsq(rows, values, rcond=None)[0] * scale_right[i, 0]
        solution[2] /= scale2d[i, 0, 0]
        solutions.append(solution)
    return np.array(solutions)


@in_all_run_modes
@pytest.mark.parametrize("weak", [False, True, "tensor"])
@pytest.mark.parametrize("scale", ["example", "batch"])
def test_gradients_are_finite_for_degenerate_input(wrap, weak, scale):
    image, relative, intrinsics, _ = make_example(seed=7, num_examples=5)
    image[0] = 1e5  # all outside
    image[1] = image[1, :1]  # one point
    relative[1] = 0
    image[2], relative[2] = 128, 0  # everything zero
    image[3, 0] = -1e6

    def gradients(image, relative):
        weak_perspective = tf.reduce_all(image > -1) if weak == "tensor" else weak
        with tf.GradientTape() as tape:
            tape.watch([image, relative])
            pose = reconstruct_absolute(
                image,
                relative,
                intrinsics,
                **CROP,
                mix_3d_inside_fov=0.5,
                weak_perspective=weak_perspective,
                scale=scale,
            )
        return pose, *tape.gradient(pose, [image, relative])

    for result in wrap(gradients)(tf.constant(image), tf.constant(relative)):
        assert np.all(np.isfinite(result))


def test_weak_perspective_may_be_a_tensor():
    image, relative, intrinsics, _ = make_example(seed=8)
    for weak in (False, True):
        expected = reconstruct_absolute(image, relative, intrinsics, **CROP, weak_perspective=weak)
        actual = reconstruct_absolute(
            image, relative, intrinsics, **CROP, weak_perspective=tf.constant(weak)
        )
        assert_close(actual, expected, rtol=1e-7)


def test_unknown_scale_is_explained():
    image, relative, intrinsics, _ = make_example(seed=9)
    with pytest.raises(UserError, match="reconstruction scale 'all'.*batch, example"):
        reconstruct_absolute(image, relative, intrinsics, **CROP, scale="all")
