from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator import warping
from metrabs.estimator.crop_prediction import render_views
from metrabs.estimator.test_time_augmentation import make_augmentations
from tests.estimator.golden_cases import augmented_cameras
from tests.golden.tolerances import assert_close

LINEAR_LIGHT, CROPS, CROP_MEANS = 1e-4, 2e-3, 5e-4


@pytest.fixture
def data(golden):
    return golden("infer_warp")


def test_crops_match_the_original(data, golden):
    common = golden("infer_common")
    pyramid = warping.build_pyramid(warping.decode_gamma(common["images"][:1]))
    render = tf.function(render_views, reduce_retracing=True, autograph=False)
    pattern = r"crops/(\w+)/aug(\d)/aa(\d)/mean"
    for match in filter(None, (re.fullmatch(pattern, key) for key in data)):
        camera_name, num_aug, factor = match.group(1), int(match.group(2)), int(match.group(3))
        inputs, _, cameras = augmented_cameras(camera_name, num_aug, common)
        gammas = make_augmentations(num_aug).gammas.numpy()
        crops = render(
            pyramid, inputs, cameras, gammas, tf.constant(256), tf.constant(factor)
        ).numpy()
        crops = crops.reshape(num_aug, -1, 256, 256, 3)
        prefix = match.group(0)[: -len("/mean")]
        assert_close(crops.mean(axis=(2, 3)), data[f"{prefix}/mean"], rtol=0, atol=CROP_MEANS)
        _check_samples(crops[:, :, 4::8, 4::8], data[f"{prefix}/sub8"], gammas)
        if f"{prefix}/full_box0_u8" in data:
            full = np.floor(255 * crops[:, 0] + 0.5)
            assert_close(full, data[f"{prefix}/full_box0_u8"], rtol=0, atol=1)


def _check_samples(actual, expected, gammas):
    """Compares display values, or linear light where that is almost black.

    Next to black, where an image's border fades, the gamma curve is so steep that it turns
    rounding errors into visible differences.
    """
    expected = expected.astype(np.float32)
    exponents = (warping.DISPLAY_GAMMA / gammas)[:, np.newaxis, np.newaxis, np.newaxis, np.newaxis]
    linear_differences = np.abs(actual**exponents - expected**exponents)
    is_close = (np.abs(actual - expected) <= CROPS) | (linear_differences <= LINEAR_LIGHT)
    assert is_close.all()


def test_warp_of_several_images_matches_the_original(data, golden):
    pyramid = warping.build_pyramid(warping.decode_gamma(golden("infer_common")["images"]))
    expected = data["warp/out_96x128"]
    actual = warping.warp_images(
        pyramid,
        data["warp/image_ids"],
        data["warp/new_invproj"],
        data["warp/K"],
        data["warp/d"],
        data["warp/crop_scales"],
        expected.shape[1:3],
    )
    assert_close(actual, expected, rtol=0, atol=LINEAR_LIGHT)


def test_pyramid_matches_the_original(data, golden):
    level1 = warping.halve_images(warping.decode_gamma(golden("infer_common")["images"]))
    level2 = warping.halve_images(level1)
    for level, key in ((level1, "level1"), (level2, "level2")):
        expected = data[f"pyramid/{key}/sub16"]
        assert_close(level[:, 8::16, 8::16], expected, rtol=0, atol=LINEAR_LIGHT)
    assert_close(warping.halve_images(data["pyramid/odd_in"]), data["pyramid/odd_out"])
