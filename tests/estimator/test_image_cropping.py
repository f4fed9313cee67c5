from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator.box_inputs import make_box_inputs
from metrabs.estimator.crop_prediction import render_views
from metrabs.estimator.image_cropping import crop_images_to_views, shift_origin
from metrabs.estimator.test_time_augmentation import make_augmentations
from metrabs.estimator.virtual_cameras import augment_cameras, look_at_boxes
from metrabs.estimator.warping import build_pyramid

HEIGHT, WIDTH, SIDE = 90, 131, 32


def _views(boxes, coeffs=0.0, height=HEIGHT, width=WIDTH, focal=150, num_views=5):
    images = np.random.default_rng(0).random((1, height, width, 3), dtype=np.float32)
    boxes = np.reshape(boxes, [-1, 4]).astype(np.float32)
    intrinsics = np.float32([[[focal, 0, width // 2], [0, focal, height // 2], [0, 0, 1]]])
    inputs = make_box_inputs(
        images,
        tf.RaggedTensor.from_row_lengths(boxes, [len(boxes)]),
        intrinsics,
        np.full([1, 5], coeffs, np.float32),
        np.float32([[0, -1, 0]]),
        55.0,
    )
    box_cameras = look_at_boxes(
        inputs.boxes, inputs.intrinsics, inputs.distortion_coeffs, inputs.up_cam, SIDE
    )
    augmentations = make_augmentations(num_views)
    cameras = augment_cameras(box_cameras, inputs.intrinsics, augmentations, SIDE)
    return images, inputs, cameras, augmentations


def _render(images, inputs, cameras, augmentations, factor):
    crops = render_views(
        build_pyramid(images), inputs, cameras, augmentations.gammas, tf.constant(SIDE), factor
    )
    return crops.numpy()


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize(
    "boxes",
    [
        [30, 20, 14, 12],  # finer than the image
        [[60, 30, 50, 60], [70, 40, 30, 44]],  # level 0 or 1, depending on the view
        [100, 60, 60, 60],  # reaches beyond the image
        [-80, -70, 20, 30],  # shows nothing of it
        [-20, -20, 160, 120],  # coarsest level
    ],
)
def test_cropping_does_not_change_renderings(boxes, factor):
    _check_that_renderings_are_equal(factor, *_views(boxes))


def test_cropping_does_not_change_renderings_of_wide_angle_images():
    # The view begins at the border of a block, x = 488, and its first samples of the coarsest
    # level are 1 pixel further, so that they are interpolated with the block before.
    views = _views([536, 115.6, 20, 168.8], height=400, width=1000, focal=63.5, num_views=1)
    _check_that_renderings_are_equal(1, *views)


def _check_that_renderings_are_equal(factor, images, inputs, cameras, augmentations):
    part, origin = crop_images_to_views(images, inputs, cameras, SIDE)
    shifted = inputs._replace(intrinsics=shift_origin(inputs.intrinsics, origin))
    expected = _render(images, inputs, cameras, augmentations, factor)
    actual = _render(part, shifted, cameras, augmentations, factor)
    np.testing.assert_allclose(actual**2.2, expected**2.2, atol=1e-4)


def test_cropped_images_are_not_much_larger_than_the_views():
    images, inputs, cameras, _ = _views([30, 20, 14, 12])
    part, origin = crop_images_to_views(images, inputs, cameras, SIDE)
    assert part.shape[1] < 50 and part.shape[2] < 50
    x, y = origin.numpy()
    np.testing.assert_array_equal(part, images[:, y : y + part.shape[1], x : x + part.shape[2]])


@pytest.mark.parametrize("boxes, coeffs", [([30, 20, 14, 12], 0.1), ([3000, 20, 900, 900], 0.0)])
def test_images_stay_whole_where_corners_do_not_bound_the_view(boxes, coeffs):
    images, inputs, cameras, _ = _views(boxes, coeffs)
    part, origin = crop_images_to_views(images, inputs, cameras, SIDE)
    assert part.shape == images.shape and origin.numpy().tolist() == [0, 0]


def test_boxes_without_extent_are_tolerated():
    images, inputs, cameras, _ = _views([[30, 20, 14, 12], [30, np.nan, 14, 12], [9, 9, 0, 0]])
    part, _ = crop_images_to_views(images, inputs, cameras, SIDE)
    assert part.shape[1] >= 4 and part.shape[2] >= 4


def test_without_views_one_block_is_left():
    images, inputs, cameras, _ = _views(np.zeros([0, 4]))
    part, _ = crop_images_to_views(images, inputs, cameras, SIDE)
    assert part.shape == (1, 4, 4, 3)
