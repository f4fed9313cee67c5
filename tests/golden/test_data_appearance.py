from __future__ import annotations

import re

import numpy as np
import pytest

from metrabs.data.augmentation.color import augment_color
from metrabs.data.augmentation.color_correction import brighten, white_balance
from metrabs.data.augmentation.geometric import random_partial_box, random_partial_subbox
from metrabs.data.augmentation.occlusion import erase_rectangle, paste_objects, soften_mask
from metrabs.data.augmentation.sampling import child_generator, uniform_in_disc
from tests.golden import loading_cases
from tests.golden.tolerances import assert_close


@pytest.fixture
def arrays(golden):
    return golden("data_appearance")


def seeded(arrays, group):
    """Yields a generator and the expected result of each case `group/<seed>`."""
    seeds = [key.split("/")[1] for key in arrays if key.startswith(f"{group}/")]
    assert seeds
    for seed in seeds:
        yield np.random.default_rng(int(seed)), arrays[f"{group}/{seed}"]


def test_colour_augmentation_of_8_bit_images(arrays):
    for rng, expected in seeded(arrays, "color_u8"):
        actual = augment_color(arrays["image"], rng)
        assert np.abs(actual.astype(int) - expected).max() <= 1


def test_colour_augmentation_of_float_images(arrays):
    for rng, expected in seeded(arrays, "color_f32"):
        assert_close(augment_color(arrays["color_f32_in"], rng), expected, atol=1e-5)


def test_erased_rectangles(arrays):
    for rng, expected in seeded(arrays, "erase"):
        assert np.array_equal(erase_rectangle(arrays["image"], 1.0, rng), expected)


def test_pasted_objects(arrays):
    pools = loading_cases.pools_of(arrays)
    for rng, expected in seeded(arrays, "occlude"):
        loading_cases.assert_same_image(
            paste_objects(arrays["image"], pools, 1.0, rng), expected, 0.001
        )


def test_softened_masks(arrays):
    assert np.array_equal(soften_mask(arrays["soften_in"]), arrays["soften_out"])


def test_gamma(arrays):
    assert np.array_equal(brighten(arrays["image"]), arrays["gamma067"])
    levels = np.arange(256, dtype=np.uint8)[np.newaxis]
    assert np.array_equal(brighten(levels)[0], arrays["gamma067_lut"])


def test_white_balance(arrays):
    keys = [key for key in arrays if key.startswith("wb_")]
    assert keys
    for key in keys:
        a, b = (int(text) for text in re.findall(r"\d+", key))
        assert np.array_equal(white_balance(arrays["image"], a, b), arrays[key])


def first_integers(seed, count):
    parent = np.random.Generator(np.random.PCG64(seed))
    return [child_generator(parent).integers(0, 2**32 - 1) for _ in range(count)]


@pytest.fixture
def file_seed(arrays):
    """Returns the seed of the file, found by the child generators that the file lists."""
    expected = arrays["new_rng_first_integers"].tolist()
    seeds = [s for s in range(10000) if first_integers(s, 1) == expected[:1]]
    assert [s for s in seeds if first_integers(s, len(expected)) == expected]
    return seeds[0]


def test_partial_boxes_and_points_in_the_disc(arrays, file_seed):
    draws = {
        "partial_box": random_partial_box,
        "partial_subbox": lambda rng: random_partial_subbox(arrays["partial_subbox_of"], rng),
        "disc": uniform_in_disc,
    }
    for key, draw in draws.items():
        rngs = [np.random.default_rng(100 * file_seed + i) for i in range(len(arrays[key]))]
        assert_close(np.stack([draw(rng) for rng in rngs]), arrays[key], rtol=1e-6)
