from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator import warping

HEIGHT, WIDTH = 12, 20


def _images(num_images=2):
    rng = np.random.default_rng(3)
    return rng.uniform(size=(num_images, HEIGHT, WIDTH, 3)).astype(np.float32)


def _warp(images, matrices, image_ids, shape_hw, coeffs=0.0, scale=1.0):
    num = len(matrices)
    return warping.warp_images(
        warping.build_pyramid(images),
        tf.constant(image_ids),
        np.array(matrices, np.float32),
        np.tile(np.eye(3, dtype=np.float32), [num, 1, 1]),
        np.full([num, 1], coeffs, np.float32),
        np.full([num], scale, np.float32),
        shape_hw,
    ).numpy()


def _translation(x, y):
    return [[1, 0, x], [0, 1, y], [0, 0, 1]]


def test_identity_returns_the_image_of_each_crop():
    images = _images()
    crops = _warp(images, [np.eye(3)] * 3, [1, 0, 1], (HEIGHT, WIDTH))
    np.testing.assert_allclose(crops, images[[1, 0, 1]], atol=1e-5)


def test_negligible_distortion_gives_the_same_as_none():
    images = _images()
    matrices = [_translation(0.3, 1.6)] * 2
    expected = _warp(images, matrices, [0, 1], (8, 9))
    np.testing.assert_allclose(_warp(images, matrices, [0, 1], (8, 9), 1e-12), expected, atol=1e-5)


def test_half_a_pixel_averages_neighbours_and_the_outside_is_black():
    image = _images(1)
    crop = _warp(image, [_translation(WIDTH - 2.5, 0)], [0], (HEIGHT, 6))[0]
    np.testing.assert_allclose(crop[:, 0], (image[0, :, -3] + image[0, :, -2]) / 2, atol=1e-5)
    np.testing.assert_allclose(crop[:, 2], image[0, :, -1] / 2, atol=1e-5)
    assert not crop[:, 3:].any()


def test_rays_that_hit_nothing_are_black():
    matrices = [np.zeros([3, 3]), _translation(1e30, -1e30), np.full([3, 3], np.nan)]
    assert not _warp(_images(), matrices, [0, 1, 1], (4, 4)).any()


def test_small_crops_are_taken_from_the_pyramid():
    image = _images(1)
    matrix = [[4, 0, 1.5], [0, 4, 1.5], [0, 0, 1]]
    crop = _warp(image, [matrix], [0], (HEIGHT // 4, WIDTH // 4), scale=0.25)[0]
    expected = image[0].reshape(HEIGHT // 4, 4, WIDTH // 4, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(crop, expected, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_supersampling_of_an_even_area_changes_nothing(factor):
    images = np.full([1, 40, 40, 3], 0.25, np.float32)
    matrices = np.array([_translation(10, 12)] * 2, np.float32)
    crops = warping.extract_crops(
        warping.build_pyramid(images), tf.constant([0, 0]), matrices,
        np.tile(np.eye(3, dtype=np.float32), [2, 1, 1]), np.zeros([2, 5], np.float32),
        np.ones([2], np.float32), 16, factor,
    )  # fmt: skip
    np.testing.assert_allclose(crops, np.full([2, 16, 16, 3], 0.25), atol=1e-6)


def test_images_of_a_single_pixel_have_a_pyramid():
    image = warping.pad_tiny_images(tf.ones([1, 1, 1, 3]))
    crop = _warp(image, [np.eye(3)], [0], (1, 2))
    np.testing.assert_allclose(crop[0, 0, :, 0], [1, 0], atol=1e-6)


def test_gamma_encoding_undoes_decoding():
    images = np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis, np.newaxis]
    decoded = warping.decode_gamma(images)
    assert decoded[0, 0, 0, 0] == 0 and decoded[0, -1, 0, 0] == 1
    encoded = warping.encode_gamma(decoded, [1.0])
    np.testing.assert_allclose(encoded, images / 255, atol=1e-6)


def test_warping_by_a_homography_equals_the_one_of_tensorflow_addons():
    # The original warps with this transform; here it serves as an independent reference.
    tfa_image = pytest.importorskip("tensorflow_addons.image")
    image = np.random.default_rng(0).uniform(size=[1, 40, 50, 3]).astype(np.float32)
    homography = np.array([[1.1, 0.1, -4], [-0.2, 0.9, 6], [0.001, -0.002, 1]], np.float32)
    warped = warping.warp_images(
        warping.build_pyramid(image),
        [0],
        homography[np.newaxis],
        np.eye(3)[np.newaxis].astype(np.float32),
        np.zeros([1, 5], np.float32),
        [1.0],
        (32, 36),
    )
    expected = tfa_image.transform(
        image, homography.reshape(1, 9)[:, :8], interpolation="bilinear", output_shape=(32, 36)
    )
    np.testing.assert_allclose(warped, expected, atol=1e-4)
