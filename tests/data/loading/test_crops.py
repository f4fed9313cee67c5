from __future__ import annotations

import numpy as np
import pytest

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.geometric import NO_AUGMENTATION, GeometricAugmentation
from metrabs.data.loading import crops
from metrabs.geometry.camera import Camera
from metrabs.geometry.reprojection import reproject_image_points
from tests.data.conftest import random_camera

SIDE = 64
TALL, WIDE = np.array([40, 20, 50, 90], np.float32), np.array([30, 40, 100, 20], np.float32)


@pytest.mark.parametrize("box", [TALL, WIDE, np.array([40, 20, 60, 60], np.float32)])
def test_the_longer_side_of_the_box_fills_the_crop_about_its_centre(box):
    camera = random_camera(np.random.default_rng(0))
    crop_camera = crops.calibrated_crop_camera(camera, box, SIDE, NO_AUGMENTATION)
    center = box[:2] + box[2:] / 2
    half = np.array([0, box[3] / 2] if box[3] > box[2] else [box[2] / 2, 0])
    points = reproject_image_points(
        np.stack([center - half, center, center + half]), camera, crop_camera
    )
    assert np.linalg.norm(points[2] - points[0]) == pytest.approx(SIDE, rel=1e-4)
    assert np.allclose(points[1], (SIDE - 1) / 2, atol=1e-3)
    assert np.allclose(crop_camera.intrinsic_matrix[:2, 2], (SIDE - 1) / 2)


def test_an_uncalibrated_crop_shows_the_box_as_it_is():
    camera, crop_camera = crops.uncalibrated_crop_camera((120, 160), TALL, SIDE, NO_AUGMENTATION)
    corner = reproject_image_points(TALL[:2] + (25, 0), camera, crop_camera)
    scale = SIDE / 90
    assert np.allclose(corner, ((SIDE - 1) / 2, (SIDE - 1) / 2 - 45 * scale), atol=1e-3)


def test_a_shift_moves_the_centre_by_a_share_of_the_longer_side():
    change = GeometricAugmentation(np.array([0.1, 0]))
    camera, crop_camera = crops.uncalibrated_crop_camera((120, 160), TALL, SIDE, change)
    shifted_center = TALL[:2] + TALL[2:] / 2 + (9, 0)
    point = reproject_image_points(shifted_center, camera, crop_camera)
    assert np.allclose(point, (SIDE - 1) / 2, atol=1e-3)


def test_zoom_roll_and_mirroring_reach_the_camera():
    camera = random_camera(np.random.default_rng(0))
    plain = crops.calibrated_crop_camera(camera, TALL, SIDE, NO_AUGMENTATION)
    change = GeometricAugmentation(np.zeros(2), zoom=1.2, roll=0.3, is_mirrored=True)
    changed = crops.calibrated_crop_camera(camera, TALL, SIDE, change)
    assert np.allclose(changed.intrinsic_matrix[0, 0], 1.2 * plain.intrinsic_matrix[0, 0])
    assert np.linalg.det(changed.R) == pytest.approx(-1, abs=1e-5)
    assert np.allclose(changed.R[2], plain.R[2], atol=1e-6)
    assert np.allclose(np.abs(np.sum(changed.R[1] * plain.R[1])), np.cos(0.3), atol=1e-5)


def test_cropping_does_not_change_the_camera_of_the_example():
    camera = random_camera(np.random.default_rng(0))
    before = camera.copy()
    crops.calibrated_crop_camera(camera, TALL, SIDE, NO_AUGMENTATION)
    assert camera.allclose(before)


def test_training_and_test_have_their_own_interpolation():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 255
    camera = Camera.create2D((8, 8))
    finer = camera.zoom(4, inplace=False).center_principal_point((32, 32))
    config = LoadingConfig(proc_side=32, image_interpolation_train="nearest")
    assert set(np.unique(crops.render_crop(image, camera, finer, config, True))) == {0, 255}
    assert len(np.unique(crops.render_crop(image, camera, finer, config, False))) > 2


def test_missing_points_count_as_inside_and_become_zero():
    points = np.array([[1, 1], [-0.1, 1], [1, 64], [np.nan, 1], [np.inf, 2]], np.float32)
    assert crops.is_in_crop(points, 64).tolist() == [True, False, False, True, False]
    assert crops.fill_missing_with_zeros(points)[3:].tolist() == [[0, 1], [0, 2]]
    assert crops.fill_missing_with_zeros(points).dtype == np.float32
