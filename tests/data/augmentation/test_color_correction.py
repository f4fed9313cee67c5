from __future__ import annotations

import numpy as np
import pytest

from metrabs.data.augmentation.color_correction import (
    brighten,
    correct_dataset_colors,
    white_balance,
)

IMAGE = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "path, expected",
    [
        ("mupots_downscaled/mupots/TS3/1.jpg", brighten(IMAGE)),
        ("mupots_downscaled/mupots/TS6/1.jpg", IMAGE),
        ("3dhp_downscaled/TS2/1.jpg", white_balance(brighten(IMAGE), 110, 145)),
        ("3dhp_downscaled/TS5/1.jpg", IMAGE),
        ("Panoptic_downscaled/x.jpg", white_balance(IMAGE, 120, 138)),
        ("h36m_downscaled/TS1/x.jpg", IMAGE),
    ],
)
def test_the_path_decides_the_correction(path, expected):
    assert np.array_equal(correct_dataset_colors(IMAGE, path), expected)


def test_white_balance_makes_its_colour_more_neutral():
    greenish = np.full((4, 4, 3), (100, 140, 100), np.uint8)
    spread = np.ptp(white_balance(greenish, 110, 140)[0, 0].astype(int))
    assert spread < np.ptp(greenish[0, 0].astype(int))


def test_brightening_keeps_black_and_white():
    assert brighten(np.array([[0, 128, 255]], np.uint8)).tolist() == [[0, 160, 255]]
