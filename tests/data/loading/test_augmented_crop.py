from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.pools import AugmentationPools, Occluder
from metrabs.data.loading.augmented_crop import (
    AugmentedCrop,
    EffectProbabilities,
    EffectSeeds,
    augment_appearance,
)
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
    probabilities = EffectProbabilities(partial_view, background, 0.0)
    return AugmentedCrop(config, is_training, probabilities, EffectSeeds(1, seed, 3, 4), POOLS)


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
def test_without_mask_probability_or_augmentation_the_background_stays(crop, mask):
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


def test_a_box_is_float32_and_changed_only_in_augmentation():
    box = np.array([3, 4, 10, 20], np.float16)
    drawn, change = maker(is_training=False, partial_view=1.0).sample_geometry(box)
    assert drawn.dtype == np.float32 and np.array_equal(drawn, box)
    assert change.zoom == 1 and not change.is_mirrored
    drawn, change = maker(partial_view=1.0).sample_geometry(box)
    assert 10 < drawn[2] == drawn[3] < 20 and change.zoom != 1
    plain = dataclasses.replace(CONFIG, geom_aug=False)
    assert maker(config=plain).sample_geometry(box)[1].zoom == 1


GREY = np.full((64, 64, 3), 100, np.uint8)
BLUE = Occluder(np.tile(np.uint8([0, 0, 255]), (40, 40, 1)), np.ones((40, 40), np.float32))
BLUE_POOLS = AugmentationPools([BLUE], [])
WITHOUT_COLOR = LoadingConfig(proc_side=64, color_aug=False)


def augmented(prob, config, seed):
    return augment_appearance(GREY, prob, config, BLUE_POOLS, np.random.default_rng(seed))


def test_occlusions_come_with_their_probability_and_in_both_kinds():
    results = [augmented(0.5, WITHOUT_COLOR, seed) for seed in range(200)]
    is_changed = [(r != GREY).any() for r in results]
    is_blue = [(r == (0, 0, 255)).all(axis=-1).any() for r in results]
    assert 0.4 < np.mean(is_changed) < 0.6
    assert 0.15 < np.mean(is_blue) < 0.35


def test_without_occlusion_and_colour_the_image_stays_as_it_is():
    assert augmented(0, WITHOUT_COLOR, 0) is GREY


def test_colours_do_not_depend_on_occlusion():
    config = LoadingConfig(proc_side=64)
    plain, occluded = augmented(0, config, 5), augmented(1, config, 5)
    assert (plain == plain[0, 0]).all()
    is_same = (occluded == plain).all(axis=-1)
    assert 0.1 < is_same.mean() < 1
