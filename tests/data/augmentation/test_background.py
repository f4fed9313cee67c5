from __future__ import annotations

import cv2
import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.background import replace_background
from metrabs.data.augmentation.pools import AugmentationPools

CONFIG = LoadingConfig(proc_side=32)
CROP = np.full((32, 32, 3), 200, np.uint8)
MASK = np.zeros((32, 32), np.uint8)
MASK[8:24, 8:24] = 1
POOLS = AugmentationPools([], [np.full((40, 60, 3), 50, np.uint8)])


def test_the_person_stays_and_everything_else_is_background():
    result = replace_background(CROP, MASK, POOLS, CONFIG, np.random.default_rng(0))
    assert np.array_equal(result[..., 0], np.where(MASK, 200, 50))


def test_the_background_fills_the_crop_whatever_the_shift():
    for seed in range(30):
        result = replace_background(CROP, MASK, POOLS, CONFIG, np.random.default_rng(seed))
        assert (result > 0).all()


def test_backgrounds_can_be_files(tmp_path):
    cv2.imwrite(str(tmp_path / "b.png"), np.full((40, 60, 3), 90, np.uint8))
    pools = AugmentationPools([], [str(tmp_path / "b.png")])
    result = replace_background(CROP, MASK, pools, CONFIG, np.random.default_rng(0))
    assert result[0, 0, 0] == 90
