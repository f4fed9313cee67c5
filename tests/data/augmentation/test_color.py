from __future__ import annotations

import numpy as np
import pytest

from metrabs.data.augmentation.color import (
    ColorEffect,
    apply_color_effects,
    augment_color,
    sample_color_effects,
)

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (33, 20, 3)).astype(np.uint8)


def slowly(image, effects):
    """The definition: every effect by itself, in float64, through the textbook HSV model."""
    import colorsys

    pixels = []
    for pixel in image.reshape(-1, 3) / 255:
        hsv = None
        for name, amount in effects:
            if name in ("hue", "saturation"):
                h, s, v = hsv if hsv is not None else colorsys.rgb_to_hsv(*np.clip(pixel, 0, 1))
                hue, saturation = (h + amount / 360) % 1, min(1, s * amount)
                hsv = (hue, s, v) if name == "hue" else (h, saturation, v)
                continue
            if hsv is not None:
                pixel, hsv = np.array(colorsys.hsv_to_rgb(*hsv)), None
            pixel = pixel + amount if name == "brightness" else (pixel - 0.5) * amount + 0.5
        pixels.append(np.clip(colorsys.hsv_to_rgb(*hsv) if hsv is not None else pixel, 0, 1))
    return np.reshape(pixels, image.shape) * 255


@pytest.mark.parametrize("seed", range(6))
def test_fast_effects_equal_their_definition(seed):
    effects = sample_color_effects(np.random.default_rng(seed))
    result = apply_color_effects(IMAGE, effects).astype(float)
    expected = slowly(IMAGE, effects)
    assert np.abs(result - np.floor(expected)).max() <= 1
    assert (result == np.floor(expected)).mean() > 0.99


@pytest.mark.parametrize("seed", range(3))
def test_float_images_get_the_same_colours_without_rounding(seed):
    effects = sample_color_effects(np.random.default_rng(seed))
    result = apply_color_effects(IMAGE.astype(np.float32) / 255, effects)
    assert result.dtype == np.float32
    assert np.abs(result * 255 - slowly(IMAGE, effects)).max() < 0.01


def test_no_effect_and_neutral_effects_change_nothing():
    assert np.array_equal(apply_color_effects(IMAGE, []), IMAGE)
    neutral = [ColorEffect("contrast", 1.0), ColorEffect("brightness", 0.0)]
    assert np.array_equal(apply_color_effects(IMAGE, neutral), IMAGE)


def test_brightness_alone_is_clipped():
    result = apply_color_effects(IMAGE, [ColorEffect("brightness", 0.1)])
    assert np.array_equal(result, np.minimum(IMAGE + 25.5, 255).astype(np.uint8))


def test_the_input_stays_as_it_was():
    for image in (IMAGE.copy(), IMAGE.astype(np.float32) / 255):
        before = image.copy()
        augment_color(image, np.random.default_rng(0))
        assert np.array_equal(image, before)
