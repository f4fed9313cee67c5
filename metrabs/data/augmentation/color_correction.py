"""Colour corrections of datasets whose cameras differ visibly from all others."""

from __future__ import annotations

import cv2
import numpy as np

from metrabs.data.traits import ColorCorrection

_GAMMA_TABLE = (255 * (np.arange(256) / 255) ** 0.67).astype(np.uint8)


def correct_colors(image: np.ndarray, correction: ColorCorrection) -> np.ndarray:
    """Returns an image, uint8 [h, w, 3] RGB, with corrected colours."""
    if correction.is_dark:
        image = brighten(image)
    if correction.neutral_ab is not None:
        image = white_balance(image, *correction.neutral_ab)
    return image


def brighten(image: np.ndarray) -> np.ndarray:
    """Applies a gamma of 0.67 to a uint8 image."""
    return cv2.LUT(image, _GAMMA_TABLE)


def white_balance(image: np.ndarray, a: float, b: float) -> np.ndarray:
    """Shifts colours so that the Lab colour (., a, b) becomes neutral, bright pixels more.

    Args:
        image: uint8 [h, w, 3] RGB.
        a, b: Colour in the 8-bit convention of OpenCV, where 128 is neutral.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lightness = lab[..., 0] / 255
    # Deviation: the original lets values outside the range wrap around.
    lab[..., 1] = np.clip(lab[..., 1] - (a - 128) * lightness * 1.1, 0, 255)
    lab[..., 2] = np.clip(lab[..., 2] - (b - 128) * lightness * 1.1, 0, 255)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
