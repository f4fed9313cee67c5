from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.geometry import projection
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close

INTRINSICS = np.array(
    [[[1100, 3, 500], [0, 1200, 400], [0, 0, 1]], [[300, 0, 128], [0, 310, 100], [0, 0, 1]]],
    np.float32,
)


@pytest.fixture
def poses():
    rng = np.random.default_rng(1)
    return (rng.uniform(-800, 800, (2, 9, 3)) + [0, 0, 3000]).astype(np.float32)


@in_all_run_modes
def test_projecting_and_back_projecting_returns_the_pose(wrap, poses):
    def round_trip(coords3d):
        image = projection.project_pose(coords3d, INTRINSICS)
        rays = projection.normalize_image_points(image, INTRINSICS)
        return projection.back_project(rays, coords3d[..., 2] - 1000, tf.fill([2], 1000.0))

    assert_close(wrap(round_trip)(tf.constant(poses)), poses)


@in_all_run_modes
def test_one_camera_serves_all_examples(wrap, poses):
    image = wrap(projection.project_pose)(tf.constant(poses), tf.constant(INTRINSICS[:1]))
    expected = projection.project_pose(poses, np.repeat(INTRINSICS[:1], 2, axis=0))
    assert_close(image, expected)


@in_all_run_modes
def test_projection_of_points_near_or_behind_the_camera_is_bounded(wrap):
    def image_and_gradient(points):
        with tf.GradientTape() as tape:
            tape.watch(points)
            image = projection.project_pose(points, INTRINSICS[:1])
        return image, tape.gradient(image, points)

    points = tf.constant([[[10.0, 20.0, 0.0], [10.0, 20.0, -4000.0], [10.0, 20.0, 0.5]]])
    image, gradient = wrap(image_and_gradient)(points)
    assert_close(image[0, 0], [10 * 1100 + 20 * 3, 20 * 1200])
    assert np.all(np.isfinite(image)) and np.all(np.isfinite(gradient))


@in_all_run_modes
def test_inverse_of_a_matrix_gives_the_identity(wrap):
    matrices = np.random.default_rng(2).normal(size=(5, 4, 3, 3)).astype(np.float32)
    inverse = wrap(projection.invert_3x3)(tf.constant(matrices))
    assert_close(inverse, np.linalg.inv(matrices.astype(np.float64)), rtol=1e-4)
    exact = projection.invert_3x3(INTRINSICS) @ INTRINSICS
    assert_close(exact, np.broadcast_to(np.eye(3), (2, 3, 3)), atol=1e-4)


def test_ninety_degrees_of_view_span_the_larger_side():
    expected = [[[320, 0, 320], [0, 320, 240], [0, 0, 1]]]
    assert_close(projection.intrinsics_from_fov(90, (480, 640)), np.float32(expected))


@in_all_run_modes
def test_limits_of_the_field_of_view_are_inside(wrap):
    points = tf.constant([[24.0, 232.0], [23.99, 100.0], [100.0, 232.01]])
    inside = wrap(
        lambda p: projection.is_within_fov(p, proc_side=256, stride=32, centered_stride=True)
    )(points)
    assert inside.numpy().tolist() == [True, False, False]


def test_uncentred_stride_shifts_the_field_of_view():
    points = np.array([[8.0, 216.0], [7.9, 100.0], [100.0, 216.1]], np.float32)
    inside = projection.is_within_fov(points, proc_side=256, stride=32, centered_stride=False)
    assert inside.numpy().tolist() == [True, False, False]


@in_all_run_modes
def test_affine_combinations_move_with_the_points(wrap, poses):
    weights = np.random.default_rng(3).normal(size=(9, 4)).astype(np.float32) + 1
    weights /= weights.sum(axis=0)
    combined = wrap(projection.affine_combination)(tf.constant(poses), weights)
    moved = wrap(projection.affine_combination)(tf.constant(poses + np.float32(500)), weights)
    assert_close(moved, combined + 500, rtol=1e-5)
    expected = np.einsum("bmc,mn->bnc", poses.astype(np.float64), weights)
    assert_close(combined, expected)


def test_corner_aligned_scaling_keeps_the_corner_of_the_image():
    corner = np.array([-0.5, -0.5, 1])
    np.testing.assert_allclose(projection.corner_aligned_scaling(0.25).numpy() @ corner, corner)
    np.testing.assert_allclose(projection.corner_aligned_scaling([2.0, 3.0]).numpy()[1, 0, 0], 3)


def test_matrix_product_equals_that_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1, 3, 3)), rng.normal(size=(5, 3, 4))
    np.testing.assert_allclose(projection.matrix_product(a, b), a @ b)
