"""Camera operations: properties and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrabs.errors import UserError
from metrabs.geometry.camera import Camera

IMAGE_SHAPE = (120, 160)
seeds = st.integers(0, 2**32 - 1)


def make_camera(seed=0, distortion_coeffs=(-0.2, 0.1, 0.001, -0.002, -0.03), skew=0.0):
    rng = np.random.default_rng(seed)
    camera = Camera(
        optical_center=rng.uniform(-3000, 3000, 3),
        intrinsic_matrix=[[180, skew, 85], [0, 170, 55], [0, 0, 1]],
        distortion_coeffs=distortion_coeffs,
        world_up=(0, -1, 0),
    )
    return camera.rotate(*rng.uniform(-0.5, 0.5, 3))


def is_rotation(matrix):
    return np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-6) and np.linalg.det(matrix) > 0


@given(seeds)
def test_turning_towards_an_image_point_puts_its_content_at_the_principal_point(seed):
    camera = make_camera(seed)
    target = np.random.default_rng(seed).uniform((0, 0), (160, 120))
    world_point = camera.image_to_world(target, 4000)
    turned = camera.copy().turn_towards(target_image_point=target).undistort()
    np.testing.assert_allclose(
        turned.world_to_image(world_point), turned.intrinsic_matrix[:2, 2], atol=5e-3
    )
    assert is_rotation(turned.R)
    assert abs(turned.R[0] @ turned.world_up) < 1e-6  # the x axis is horizontal


@given(seeds)
def test_the_three_kinds_of_target_agree(seed):
    camera = make_camera(seed, distortion_coeffs=None)
    world_point = camera.camera_to_world([300, -200, 3000])
    turned = [
        camera.turn_towards(target_world_point=world_point, inplace=False),
        camera.turn_towards(target_cam_point=[300, -200, 3000], inplace=False),
        camera.turn_towards(target_image_point=camera.world_to_image(world_point), inplace=False),
    ]
    np.testing.assert_allclose(turned[0].R, turned[1].R, atol=1e-6)
    np.testing.assert_allclose(turned[0].R, turned[2].R, atol=1e-5)


def test_turning_towards_a_point_keeps_its_precision_far_from_the_origin():
    near, far = make_camera(0), make_camera(0)
    far.t += 1e6
    near.turn_towards(target_image_point=(20, 30))
    far.turn_towards(target_image_point=(20, 30))
    np.testing.assert_array_equal(near.R, far.R)


def test_turning_straight_up_gives_a_rotation():
    for direction in ([0, -1, 0], [0, 1, 0]):
        assert is_rotation(Camera(world_up=(0, -1, 0)).turn_towards(target_cam_point=direction).R)


def test_turning_needs_a_target():
    with pytest.raises(UserError, match="target"):
        Camera().turn_towards()


@pytest.mark.parametrize(
    "coeffs",
    [
        None,
        (0.01, -0.02, 0.003, 0.001),
        (-0.05, 0.02, 0.001, -0.002, 0.01),
        (0.05, 0.02, 0.001, -0.002, 0.01, 0.03, 0.01),
        (-0.02, 0.01, 0.001, -0.002, 0.01, 0.01, 0.003, 0.0, 0.001, 0.002, -0.001, 0.001),
    ],
)
def test_back_projection_inverts_projection(coeffs):
    camera = make_camera(1, coeffs)
    points = np.random.default_rng(0).uniform((-0.3, -0.3, 1), (0.3, 0.3, 1), (2, 5, 3)) * 3000
    world_points = camera.camera_to_world(points)
    image_points = camera.world_to_image(world_points)
    assert image_points.shape == (2, 5, 2) and image_points.dtype == np.float32
    back = camera.image_to_world(image_points, camera_depth=points[..., 2])
    np.testing.assert_allclose(back, world_points, atol=0.05)


def test_back_projection_heeds_skewed_pixels():
    camera = make_camera(2, None, skew=20)
    point = np.array([100, 200, 1000], np.float32)
    back = camera.image_to_camera(camera.camera_to_image(point), 1000)
    np.testing.assert_allclose(back, point, rtol=1e-5)


def test_projection_by_hand():
    camera = Camera(
        optical_center=[10, 0, 0], intrinsic_matrix=[[100, 0, 50], [0, 200, 60], [0, 0, 1]]
    )
    np.testing.assert_allclose(camera.world_to_image([30, 10, 100]), [70, 80])


def test_distortion_by_hand():
    camera = Camera(distortion_coeffs=(0.1, 0, 0.01, 0.02, 0))
    # x=1, y=2: r2=5, radial 1.5, 2 (p2 x + p1 y) = 0.08; x: 1.58 + 0.02*5, y: 3.16 + 0.01*5
    np.testing.assert_allclose(camera.camera_to_image([1, 2, 1]), [1.68, 3.21], rtol=1e-6)


def test_fisheye_maps_the_axis_to_the_principal_point():
    camera = make_camera(0, (0.01, 0.02, 0.01, 0.01))
    np.testing.assert_allclose(camera.camera_to_image([0, 0, 1]), [85, 55])


def test_missing_points_stay_missing():
    for coeffs in (None, (0.1, 0, 0, 0), (0.1, 0, 0, 0, 0)):
        camera = make_camera(0, coeffs)
        points = np.full((2, 2), np.nan)
        points[0] = 10
        np.testing.assert_array_equal(
            np.isnan(camera.image_to_world(points)).all(axis=1), [False, True]
        )
        assert np.isnan(camera.world_to_image([np.nan] * 3)).all()
        assert camera.image_to_camera(np.zeros((0, 2))).shape == (0, 3)


def test_visible_means_in_front_of_the_camera_and_inside_the_image():
    camera = Camera(intrinsic_matrix=[[100, 0, 0], [0, 100, 0], [0, 0, 1]])
    points = [[0, 0, 1], [1, 1, 1], [0.99, 0.49, 1], [-0.01, 0, 1], [0.5, 0.2, -1]]
    visible = camera.is_visible(points, (100, 50))
    np.testing.assert_array_equal(visible, [True, False, True, False, False])


def test_extrinsics_can_be_given_in_three_ways():
    camera = make_camera(3, None)
    extrinsics = camera.get_extrinsic_matrix()
    for other in (
        Camera(extrinsic_matrix=extrinsics, intrinsic_matrix=camera.intrinsic_matrix),
        Camera(
            rot_world_to_cam=camera.R,
            trans_after_rot=extrinsics[:3, 3],
            intrinsic_matrix=camera.intrinsic_matrix,
        ),
    ):
        np.testing.assert_allclose(other.t, camera.t, atol=1e-2)
        np.testing.assert_allclose(other.R, camera.R)
    with pytest.raises(UserError, match="either"):
        Camera(extrinsic_matrix=extrinsics, optical_center=camera.t)
    with pytest.raises(UserError, match="either"):
        Camera(trans_after_rot=camera.t, optical_center=camera.t)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(intrinsic_matrix=np.full((3, 3), 1.0)), "last row"),
        (dict(optical_center=[1, 2]), "shapes"),
        (dict(distortion_coeffs=[0.1, 0.2]), "2 lens distortion coefficients"),
        (dict(distortion_coeffs=[0.1] * 14), "14 lens distortion coefficients"),
    ],
)
def test_impossible_cameras_are_errors(arguments, message):
    with pytest.raises(UserError, match=message):
        Camera(**arguments)


def test_zero_distortion_is_none():
    assert Camera(distortion_coeffs=np.zeros(5)).distortion_coeffs is None


def test_field_of_view_round_trip():
    camera = Camera.from_fov(55, (480, 640, 3))
    assert camera.get_fov((480, 640)) == pytest.approx(55, abs=1e-4)
    np.testing.assert_allclose(camera.intrinsic_matrix[:2, 2], [319.5, 239.5])


def test_operations_on_a_copy_do_not_change_the_camera():
    camera = make_camera()
    untouched = camera.copy()
    changes = [
        lambda c: c.turn_towards(target_image_point=(3, 4), inplace=False),
        lambda c: c.rotate(0.1, 0.2, 0.3, inplace=False),
        lambda c: c.reset_roll(inplace=False),
        lambda c: c.orbit_around((1, 2, 3), 0.3, inplace=False),
        lambda c: c.horizontal_flip(inplace=False),
        lambda c: c.zoom(2, inplace=False),
        lambda c: c.scale_output(2, inplace=False),
        lambda c: c.shift_image((1, 2), inplace=False),
        lambda c: c.shift_to_desired((1, 2), (3, 5), inplace=False),
        lambda c: c.shift_to_center((1, 2), IMAGE_SHAPE, inplace=False),
        lambda c: c.center_principal_point(IMAGE_SHAPE, inplace=False),
        lambda c: c.square_pixels(inplace=False),
        lambda c: c.undistort(inplace=False),
        lambda c: c.undistort(0.5, IMAGE_SHAPE, inplace=False),
    ]
    for change in changes:
        assert not change(camera).allclose(camera)
        assert camera.allclose(untouched)
    assert camera.zoom(2) is camera and not camera.allclose(untouched)


def test_a_mirrored_view_shows_the_mirrored_image():
    camera = make_camera(5, None)
    camera.center_principal_point(IMAGE_SHAPE)
    point = camera.camera_to_world([100, 50, 2000])
    u, v = camera.world_to_image(point)
    flipped = camera.horizontal_flip(inplace=False)
    np.testing.assert_allclose(flipped.world_to_image(point), [159 - u, v], atol=1e-3)
    assert flipped.horizontal_flip().allclose(camera)


def test_shifting_zooming_and_scaling_by_hand():
    camera = make_camera(6, None)
    point = camera.camera_to_world([100, 50, 2000])
    before = camera.world_to_image(point)
    center = camera.intrinsic_matrix[:2, 2].copy()
    zoomed = camera.zoom(2, inplace=False).world_to_image(point)
    scaled = camera.scale_output((2, 3), inplace=False).world_to_image(point)
    shifted = camera.shift_to_desired(before, (7, 8), inplace=False).world_to_image(point)
    centered = camera.shift_to_center(before, IMAGE_SHAPE, inplace=False).world_to_image(point)
    np.testing.assert_allclose(zoomed, 2 * before - center, atol=1e-3)
    np.testing.assert_allclose(scaled, before * [2, 3], atol=1e-3)
    np.testing.assert_allclose(shifted, [7, 8], atol=1e-3)
    np.testing.assert_allclose(centered, [79.5, 59.5], atol=1e-3)


def test_positive_roll_turns_the_content_counterclockwise():
    camera = Camera().rotate(roll=np.pi / 2)
    # The world's x direction (right) is now seen up, which is negative y in the image.
    np.testing.assert_allclose(camera.world_to_image([1, 0, 1]), [0, -1], atol=1e-6)


def test_yaw_turns_the_camera_to_the_right():
    direction = Camera().rotate(yaw=np.pi / 2).camera_to_world([0, 0, 1])
    np.testing.assert_allclose(direction, [1, 0, 0], atol=1e-6)


def test_square_pixels_have_the_mean_focal_length():
    matrix = make_camera().square_pixels().intrinsic_matrix
    np.testing.assert_allclose([matrix[0, 0], matrix[1, 1]], [175, 175], rtol=1e-6)
    np.testing.assert_allclose(matrix[:2, 2], [85 * 175 / 180, 55 * 175 / 170], rtol=1e-6)


def test_reset_roll_makes_the_horizon_level_and_keeps_the_view():
    camera = make_camera(7)
    level = camera.reset_roll(inplace=False)
    np.testing.assert_allclose(level.R[2], camera.R[2], atol=1e-6)
    assert abs(level.R[0] @ level.world_up) < 1e-6
    looking_up = Camera(world_up=(0, 0, 1))
    assert looking_up.reset_roll(inplace=False).allclose(looking_up)


@pytest.mark.parametrize("axis", ["vertical", "horizontal"])
def test_orbiting_keeps_the_pivot_at_its_place_in_the_image(axis):
    camera = make_camera(8)
    pivot = camera.camera_to_world([100, -50, 3000])
    moved = camera.orbit_around(pivot, 0.7, axis, inplace=False)
    np.testing.assert_allclose(
        moved.world_to_image(pivot), camera.world_to_image(pivot), atol=1e-2
    )
    with pytest.raises(UserError, match="diagonal"):
        camera.orbit_around(pivot, 0.7, "diagonal")


@pytest.mark.parametrize("coeffs", [(-0.1, 0.01, 0, 0, 0), (0.02, 0.01, 0, 0), None])
def test_undistorting_by_balance_centres_the_principal_point_on_request(coeffs):
    camera = make_camera(9, coeffs)
    undistorted = camera.undistort(
        0.0, IMAGE_SHAPE, (60, 80), center_principal_point=True, inplace=False
    )
    assert undistorted.distortion_coeffs is None
    np.testing.assert_allclose(undistorted.intrinsic_matrix[:2, 2], [39.5, 29.5])
    with pytest.raises(UserError, match="image shape"):
        camera.undistort(0.0)


def test_trailing_zero_coefficients_do_not_matter():
    a, b = make_camera(0, (0.1, 0, 0, 0, 0)), make_camera(0, (0.1, 0, 0, 0, 0, 0, 0, 0))
    assert a.allclose(b)
    assert not a.allclose(make_camera(0, (0.1, 0, 0, 0)))
    assert not a.allclose(make_camera(0, None))
