from __future__ import annotations

import numpy as np

from metrabs.data.augmentation.occlusion import erase_rectangle, paste_objects, soften_mask
from metrabs.data.augmentation.pools import AugmentationPools, Occluder

GREY = np.full((64, 64, 3), 100, np.uint8)
WHITE_SQUARE = Occluder(np.full((40, 40, 3), 255, np.uint8), np.ones((40, 40), np.float32))


def test_pasted_objects_cover_a_part_of_a_copy():
    pools = AugmentationPools([WHITE_SQUARE], [])
    for seed in range(20):
        result = paste_objects(GREY, pools, 1.0, np.random.default_rng(seed))
        assert set(np.unique(result)) <= {100, 254, 255}  # 254 by truncation
        assert 0 < (result > 100).mean() < 0.7
    assert (GREY == 100).all()


def test_a_transparent_object_mixes_with_the_image():
    half = Occluder(WHITE_SQUARE.image, np.full((40, 40), 0.5, np.float32))
    chosen_once = AugmentationPools([half], [])
    values = np.unique(paste_objects(GREY, chosen_once, 1.0, np.random.default_rng(3)))
    assert 100 in values and 177 in values  # (100 + 255) / 2, truncated


def test_objects_scale_with_the_image_and_the_factor():
    pools = AugmentationPools([WHITE_SQUARE], [])
    areas = {
        scale: np.mean(
            [
                (paste_objects(GREY, pools, scale, np.random.default_rng(seed)) > 100).mean()
                for seed in range(40)
            ]
        )
        for scale in (0.5, 1.0)
    }
    assert areas[0.5] < 0.5 * areas[1.0]


def test_the_erased_part_is_one_rectangle_of_up_to_a_third():
    for seed in range(20):
        result = erase_rectangle(GREY, 1.0, np.random.default_rng(seed))
        rows, columns = np.nonzero((result != GREY).any(axis=-1))
        assert len(rows) <= 64 * 64 / 3
        if len(rows):
            area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
            assert len(rows) > 0.9 * area


def test_softened_masks_are_weaker_along_the_border():
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 1
    alpha = soften_mask(mask)
    assert alpha[20, 20] == 1 and alpha[5, 20] == 0.75 and alpha[2, 2] == 0
