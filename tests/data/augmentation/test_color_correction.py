from __future__ import annotations

import numpy as np
import pytest

from metrabs.data.augmentation.color_correction import brighten, correct_colors, white_balance
from metrabs.data.traits import ColorCorrection

IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "correction, expected",
    [
        (ColorCorrection(is_dark=True), brighten(IMAGE)),
        (
            ColorCorrection(is_dark=True, neutral_ab=(110, 145)),
            white_balance(brighten(IMAGE), 110, 145),
        ),
        (ColorCorrection(neutral_ab=(120, 138)), white_balance(IMAGE, 120, 138)),
    ],
)
def test_images_are_brightened_before_their_white_balance(correction, expected):
    assert np.array_equal(correct_colors(IMAGE, correction), expected)


def test_white_balance_makes_its_colour_more_neutral():
    greenish = np.full((4, 4, 3), (100, 140, 100), np.uint8)
    spread = np.ptp(white_balance(greenish, 110, 140)[0, 0].astype(int))
    assert spread < np.ptp(greenish[0, 0].astype(int))


def test_brightening_keeps_black_and_white():
    assert brighten(np.array([[0, 128, 255]], np.uint8)).tolist() == [[0, 160, 255]]
