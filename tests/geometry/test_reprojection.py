"""Reprojection of points, boxes, images and masks agrees with itself and with hand numbers."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrabs.errors import UserError
from metrabs.geometry import boxes, reprojection
from metrabs.geometry.camera import Camera

LENSES = {
    "none": None,
    "standard": (-0.1, 0.05, 0.001, -0.002, -0.01),
    "fisheye": (0.02, 0.01, -0.003, 0.001),
}


def make_camera(lens="none", yaw=0.0, skew=0.0):
    camera = Camera(
        optical_center=[1000, 2000, 500],
        intrinsic_matrix=[[180, skew, 85], [0, 170, 55], [0, 0, 1]],
        distortion_coeffs=LENSES[lens],
    )
    return camera.rotate(yaw, 0.1, 0.2)


def blob_image(position, shape=(120, 160)):
    y, x = np.mgrid[: shape[0], : shape[1]]
    distance2 = (x - position[0]) ** 2 + (y - position[1]) ** 2
    return np.exp(-distance2 / 18).astype(np.float32)


def center_of_mass(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([np.sum(x * image), np.sum(y * image)]) / np.sum(image)


@pytest.mark.parametrize("old_lens", LENSES)
@pytest.mark.parametrize("new_lens", LENSES)
def test_points_follow_the_same_world_points(old_lens, new_lens):
    old, new = make_camera(old_lens), make_camera(new_lens, yaw=0.2).zoom(1.3)
    world_points = old.camera_to_world([[0, 0, 1000], [200, 100, 1000], [-150, 50, 900]])
    mapped = reprojection.reproject_image_points(old.world_to_image(world_points), old, new)
    np.testing.assert_allclose(mapped, new.world_to_image(world_points), atol=0.05)
    back = reprojection.reproject_image_points(mapped, new, old)
    np.testing.assert_allclose(back, old.world_to_image(world_points), atol=0.05)


@given(st.floats(-0.5, 0.5), st.floats(0.5, 2))
def test_cameras_that_differ_in_intrinsics_only_are_related_by_scale_and_shift(shift, zoom):
    old = make_camera("standard", skew=5)
    new = old.zoom(zoom, inplace=False).shift_image((shift, -shift))
    center = old.intrinsic_matrix[:2, 2]
    points = np.array([[20, 30], [100, 90]], np.float32)
    expected = (points - center) * zoom + center + np.array([shift, -shift])
    mapped = reprojection.reproject_image_points(points, old, new)
    np.testing.assert_allclose(mapped, expected, atol=1e-3)


def test_missing_points_stay_missing_and_shapes_are_kept():
    for lens in LENSES:
        points = np.full((2, 3, 2), 50.0)
        points[1, 2, 0] = np.nan
        mapped = reprojection.reproject_image_points(points, make_camera(lens), make_camera())
        assert mapped.shape == (2, 3, 2)
        assert np.isnan(mapped[1, 2]).all() and np.isnan(mapped).sum() == 2


def test_distorted_cameras_must_stand_at_the_same_place():
    old, new = make_camera("standard"), make_camera()
    new.t[0] += 10
    with pytest.raises(UserError, match="same place"):
        reprojection.reproject_image_points([[1, 2]], old, new)
    with pytest.raises(UserError, match="same place"):
        reprojection.reproject_image(np.zeros((4, 4), np.uint8), old, new, (4, 4))


def test_boxes_are_reprojected_by_corners_midpoints_and_their_mean():
    old = make_camera()
    new = old.copy().scale_output(2)
    box = np.array([10, 20, 30, 40], np.float32)
    for function in (
        reprojection.reproject_box,
        reprojection.reproject_box_corners,
        reprojection.reproject_box_side_midpoints,
    ):
        np.testing.assert_allclose(function(box, old, new), 2 * box, rtol=1e-5)
    rolled = old.rotate(roll=np.pi / 4, inplace=False)
    outer = reprojection.reproject_box_corners(box, old, rolled)
    inner = reprojection.reproject_box_side_midpoints(box, old, rolled)
    middle = reprojection.reproject_box(box, old, rolled)
    assert boxes.area(inner) < boxes.area(middle) < boxes.area(outer)
    np.testing.assert_allclose(middle, (inner + outer) / 2, rtol=1e-5)


@pytest.mark.parametrize("antialias_factor", [1, 2, 3])
@pytest.mark.parametrize(
    "old_lens, new_lens",
    [
        ("none", "none"), ("standard", "none"), ("fisheye", "none"), ("none", "standard"),
        ("standard", "fisheye"),
    ],
)  # fmt: skip
def test_image_content_lands_where_the_points_do(old_lens, new_lens, antialias_factor):
    old = make_camera(old_lens, skew=8)
    new = make_camera(new_lens, yaw=0.1).zoom(1.2)
    point = np.array([70, 50], np.float32)
    warped = reprojection.reproject_image(
        blob_image(point), old, new, (110, 150), antialias_factor=antialias_factor
    )
    assert warped.shape == (110, 150) and warped.dtype == np.float32
    expected = reprojection.reproject_image_points(point, old, new)
    np.testing.assert_allclose(center_of_mass(warped), expected, atol=0.15)


def test_content_lands_right_when_only_intrinsics_of_a_distorted_camera_change():
    old = make_camera("standard")
    new = old.scale_output(0.5, inplace=False)
    warped = reprojection.reproject_image(blob_image((70, 50)), old, new, (60, 80))
    np.testing.assert_allclose(center_of_mass(warped), [35, 25], atol=0.02)


def test_the_same_camera_gives_the_same_image_for_any_number_of_channels():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    for lens in LENSES:
        camera = make_camera(lens)
        for part in (image, image[..., :1], image[..., 0]):
            same = reprojection.reproject_image(part, camera, camera.copy(), part.shape)
            np.testing.assert_array_equal(same, part)


def test_a_camera_changed_in_place_gives_a_new_image():
    image = blob_image((70, 50))
    old, new = make_camera("standard"), make_camera("none")
    first = reprojection.reproject_image(image, old, new, image.shape)
    new.shift_image((20, 0))
    second = reprojection.reproject_image(image, old, new, image.shape)
    np.testing.assert_allclose(center_of_mass(second) - center_of_mass(first), [20, 0], atol=0.1)


def test_border_is_filled_as_asked():
    image = np.full((10, 10), 200, np.uint8)
    camera = Camera.create2D((10, 10))
    shifted = camera.shift_image((5, 0), inplace=False)
    arguments = (image, camera, shifted, (10, 10))
    assert reprojection.reproject_image(*arguments)[0, 0] == 0
    assert reprojection.reproject_image(*arguments, border_value=7)[0, 0] == 7
    replicated = reprojection.reproject_image(*arguments, border_mode=cv2.BORDER_REPLICATE)
    assert (replicated == 200).all()


def test_masks_stay_binary_and_accept_any_non_zero_value():
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 10:30] = 7
    camera = Camera.create2D((40, 40))
    doubled = reprojection.reproject_mask(
        mask, camera, camera.copy().scale_output(2), (80, 80), antialias_factor=2
    )
    assert doubled.dtype == np.uint8 and set(np.unique(doubled)) == {0, 1}
    assert doubled.sum() == pytest.approx(4 * 200, rel=0.1)
