from __future__ import annotations

import numpy as np
import pytest

from data_preparation.common.crop_geometry import (
    CropOptions,
    crop_box_around,
    plan_crop,
    rollable_square,
)
from metrabs.data.examples import Pose2DExample, Pose3DExample
from metrabs.geometry import boxes
from tests.data_preparation.fakes.toolkit import look_at_camera

CAMERA = look_at_camera(
    (300, 1400, 5000), (0, 900, 0), (640, 480), 600, (0, 1, 0), [-0.2, 0.1, 0.001, -0.001, 0.0]
)
BOX = np.array([200, 100, 90, 260], np.float32)


def person(camera=CAMERA, box=BOX):
    return Pose3DExample("a.jpg", np.zeros((1, 3)), box, camera)


def test_a_box_rolled_by_30_degrees_stays_in_its_square():
    square = rollable_square(BOX)
    angle = np.deg2rad(30)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    center = boxes.center(BOX)
    for direction in (turn, turn.T):
        rolled = (boxes.corners(BOX) - center) @ direction + center
        assert (rolled >= square[:2] - 1e-3).all()
        assert (rolled <= square[:2] + square[2:] + 1e-3).all()


def test_the_crop_of_an_inner_box_has_the_original_amount_of_room():
    square = rollable_square(BOX)
    box = crop_box_around(BOX, [-1e6, -1e6, 2e6, 2e6])
    assert box[2] == box[3] == pytest.approx(square[2] * 1.1 / 0.85**2)
    np.testing.assert_allclose(boxes.center(box), boxes.center(BOX))


def test_the_crop_ends_at_the_borders_of_the_image_by_default():
    box = np.array([600, 300, 60, 200], np.float32)
    cut = plan_crop(person(box=box), (480, 640))
    whole = plan_crop(person(box=box), (480, 640), CropOptions(extreme_perspective=True))
    assert cut.imshape[1] < whole.imshape[1] and whole.imshape[0] == whole.imshape[1]


def test_the_camera_of_the_crop_is_upright_and_looks_at_the_person():
    plan = plan_crop(person(), (480, 640))
    assert plan.new_camera.distortion_coeffs is None
    assert plan.new_camera.R[0] @ CAMERA.world_up == pytest.approx(0, abs=1e-6)
    ray = CAMERA.image_to_world(boxes.center(BOX), 3000)
    np.testing.assert_allclose(plan.new_camera.world_to_camera(ray)[:2], 0, atol=0.01)
    np.testing.assert_array_equal(plan.new_camera.t, CAMERA.t)


def test_people_are_shown_in_limited_size():
    for height, scale in ((260, 1.2), (384 / 1.2, 1.2), (460, 384 / 460)):
        box = np.array([300, 10, 50, height], np.float32)
        plan = plan_crop(Pose2DExample("a.jpg", np.zeros((1, 2)), box), (480, 640))
        assert plan.scale == pytest.approx(scale)
        np.testing.assert_allclose(plan.box_px[2:], box[2:] * scale, rtol=1e-5)


def test_the_example_s_camera_is_left_alone():
    before = CAMERA.copy()
    plan_crop(person(), (480, 640))
    assert CAMERA.allclose(before)
    assert CAMERA.distortion_coeffs is not None


def test_a_box_outside_the_image_gives_an_empty_crop():
    box = np.array([5000, 100, 90, 260], np.float32)
    plan = plan_crop(Pose2DExample("a.jpg", np.zeros((1, 2)), box), (480, 640))
    assert min(plan.imshape) == 0
