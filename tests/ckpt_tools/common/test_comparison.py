from __future__ import annotations

import numpy as np
import pytest

from ckpt_tools.common.comparison import largest_difference_mm, noise_crops
from metrabs.estimator.crop_prediction import crop_predictor
from tests.ckpt_tools.common.tiny import build_model


@pytest.mark.usefixtures("tiny_backbone")
def test_different_models_predict_differently():
    first = crop_predictor(build_model())

    def upside_down(crops, intrinsics):
        return first(crops[:, ::-1].copy(), intrinsics)

    assert largest_difference_mm(first, upside_down, 64) > 1
    assert largest_difference_mm(first, first, 64) == 0


def test_noise_crops_are_exact_in_float16():
    crops, intrinsics = noise_crops(np.random.default_rng(0), 2, 32)
    assert crops.shape == (2, 32, 32, 3) and intrinsics.shape == (2, 3, 3)
    assert crops.min() >= 0 and crops.max() <= 1 and crops.std() > 0.1
    np.testing.assert_array_equal(crops.astype(np.float16).astype(np.float32), crops)
