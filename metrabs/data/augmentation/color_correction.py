"""Colour corrections of datasets whose cameras differ visibly from all others (as released)."""

from __future__ import annotations

import re

import cv2
import numpy as np

_GAMMA_TABLE = (255 * (np.arange(256) / 255) ** 0.67).astype(np.uint8)


def correct_dataset_colors(image: np.ndarray, image_path: str) -> np.ndarray:
    """Returns the image with the correction of its dataset, which the path tells; maybe none.

    Args:
        image: uint8 [h, w, 3] RGB.
        image_path: as stored in the example.
    """
    if re.search(r"mupots/TS[1-5]/", image_path):
        return brighten(image)
    if "3dhp" in image_path and re.search(r"/TS[1-4]/", image_path):
        return white_balance(brighten(image), 110, 145)
    if "panoptic" in image_path.lower():
        return white_balance(image, 120, 138)
    return image


def brighten(image: np.ndarray) -> np.ndarray:
    """Applies a gamma of 0.67 to a uint8 image."""
    return cv2.LUT(image, _GAMMA_TABLE)


def white_balance(image: np.ndarray, a: float, b: float) -> np.ndarray:
    """Shifts colours so that the Lab colour (., a, b) becomes neutral, bright pixels more.

    Args:
        image: uint8 [h, w, 3] RGB.
        a, b: in the 8-bit convention of OpenCV, where 128 is neutral.
    """
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lightness = lab[..., 0] / 255
    # Deviation: the release lets values outside the range wrap around.
    lab[..., 1] = np.clip(lab[..., 1] - (a - 128) * lightness * 1.1, 0, 255)
    lab[..., 2] = np.clip(lab[..., 2] - (b - 128) * lightness * 1.1, 0, 255)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
