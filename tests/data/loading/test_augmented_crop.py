from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.loading.augmented_crop import AugmentedCrop, Chances, Seeds
from metrabs.data.storage.masks import encode_mask
from metrabs.data.traits import ColorCorrection
from metrabs.errors import UserError
from metrabs.geometry.camera import Camera

SIDE = 32
CONFIG = LoadingConfig(proc_side=SIDE, color_aug=False, occlude_aug_prob=0)
IMAGE = np.full((SIDE, SIDE, 3), 200, np.uint8)
MASK = np.zeros((SIDE, SIDE), np.uint8)
MASK[8:24, 8:24] = 1
POOLS = AugmentationPools([], [np.full((40, 60, 3), 50, np.uint8)])
CAMERA = Camera.create2D(IMAGE.shape)


def maker(background=0.0, seed=0, is_training=True, config=CONFIG, partial_view=0.0):
    chances = Chances(partial_view, background, 0.0)
    return AugmentedCrop(config, is_training, chances, Seeds(1, seed, 3, 4), POOLS)


def render(crop, mask=MASK, **kwargs):
    encoded = None if mask is None else encode_mask(mask)
    return crop.render(IMAGE, encoded, CAMERA, CAMERA, **kwargs)


def test_a_replaced_background_leaves_the_person():
    result = render(maker(background=1.0))
    assert np.array_equal(result[..., 0], np.where(MASK, 200, 50))


def test_backgrounds_are_replaced_with_their_probability():
    changed = [(render(maker(0.3, seed)) != IMAGE).any() for seed in range(100)]
    assert 0.2 < np.mean(changed) < 0.4


@pytest.mark.parametrize(
    "crop, mask", [(maker(1.0), None), (maker(0.0), MASK), (maker(1.0, is_training=False), MASK)]
)
def test_without_mask_chance_or_augmentation_the_background_stays(crop, mask):
    assert np.array_equal(render(crop, mask), IMAGE)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(UserError, match="32 x 32 pixels has a person mask of 32 x 31"):
        render(maker(1.0), MASK[:, 1:])


def test_the_colours_of_a_dataset_are_corrected_but_not_those_of_its_new_background():
    correction = ColorCorrection(neutral_ab=(120, 138))
    corrected = render(maker(0.0), correction=correction)
    assert not np.array_equal(corrected, IMAGE)
    replaced = render(maker(1.0), correction=correction)
    assert np.array_equal(replaced[MASK == 1], corrected[MASK == 1])
    assert (replaced[MASK == 0] == 50).all()


def test_a_box_is_drawn_as_float32_and_changed_only_in_augmentation():
    box = np.array([3, 4, 10, 20], np.float16)
    drawn, change = maker(is_training=False, partial_view=1.0).draw_box_and_view(box)
    assert drawn.dtype == np.float32 and np.array_equal(drawn, box)
    assert change.zoom == 1 and not change.is_mirrored
    drawn, change = maker(partial_view=1.0).draw_box_and_view(box)
    assert 10 < drawn[2] == drawn[3] < 20 and change.zoom != 1
    plain = dataclasses.replace(CONFIG, geom_aug=False)
    assert maker(config=plain).draw_box_and_view(box)[1].zoom == 1
