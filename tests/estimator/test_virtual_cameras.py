from __future__ import annotations

import numpy as np
import pytest

from metrabs.estimator.test_time_augmentation import make_augmentations
from metrabs.estimator.virtual_cameras import augment_cameras, look_at_boxes

SIDE = 256
INTRINSICS = np.array([[900, 3, 320], [0, 950, 240], [0, 0, 1]], np.float32)
BOXES = np.array([[100, 50, 80, 200], [400, 300, 200, 100], [0, 0, 30, 60]], np.float32)


def _look_at(boxes, coeffs=(0.0,)):
    num = len(boxes)
    return look_at_boxes(
        boxes,
        np.tile(INTRINSICS, [num, 1, 1]),
        np.tile(np.array(coeffs, np.float32), [num, 1]),
        np.tile(np.array([0, -1, 0], np.float32), [num, 1]),
        SIDE,
    )


def _crop_cameras(num_aug):
    intrinsics = np.tile(INTRINSICS, [len(BOXES), 1, 1])
    return augment_cameras(_look_at(BOXES), intrinsics, make_augmentations(num_aug), SIDE)


@pytest.mark.parametrize("num_aug", [1, 4])
def test_the_middle_of_every_crop_shows_the_middle_of_the_box(num_aug):
    cameras = _crop_cameras(num_aug)
    rays = cameras.inverse_projections.numpy() @ np.array([SIDE / 2, SIDE / 2, 1])
    pixels = rays @ INTRINSICS.T
    pixels = pixels[..., :2] / pixels[..., 2:]
    centers = np.broadcast_to(BOXES[:, :2] + BOXES[:, 2:] / 2, pixels.shape)
    np.testing.assert_allclose(pixels, centers, atol=1e-2)


def test_the_longer_side_of_the_box_fills_the_crop():
    cameras = _look_at(BOXES)
    scales = cameras.box_scales.numpy()
    for (x, y, w, h), rotation, scale in zip(BOXES, cameras.rotations.numpy(), scales):
        vertical = [[x + w / 2, y], [x + w / 2, y + h]]
        ends = vertical if h > w else [[x, y + h / 2], [x + w, y + h / 2]]
        rays = np.linalg.inv(INTRINSICS) @ np.vstack([np.transpose(ends), [1, 1]])
        pixels = INTRINSICS @ rotation @ rays
        pixels = pixels[:2] / pixels[2:]
        length = np.linalg.norm(pixels[:, 0] - pixels[:, 1])
        assert length * scale == pytest.approx(SIDE, rel=1e-4)


def test_inverse_projection_undoes_rotation_and_intrinsics():
    cameras = _crop_cameras(3)
    projections = cameras.intrinsics.numpy() @ cameras.rotations.numpy()
    product = projections @ cameras.inverse_projections.numpy()
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-3)


def test_boxes_without_extent_are_invalid_and_do_not_affect_others():
    boxes = np.array([[50, 60, 0, 0], BOXES[0], [np.nan, 0, 10, 10]], np.float32)
    cameras = _look_at(boxes)
    assert cameras.is_valid.numpy().tolist() == [False, True, False]
    np.testing.assert_allclose(cameras.box_scales[1], _look_at(BOXES).box_scales[0], rtol=1e-6)
    assert np.isfinite(cameras.rotations).all() and np.isfinite(cameras.box_scales).all()
