"""Colour augmentation: brightness, contrast, hue and saturation in random order.

The four effects cost as few passes over the image as they can: brightness and contrast are linear
in RGB, so they wait until they can be joined with the next conversion; hue and saturation are
linear in HSV.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class ColorEffect(NamedTuple):
    """One effect and its sampled amount: an offset of brightness or hue (degrees), or a factor."""

    name: str
    amount: float


class _Linear(NamedTuple):
    """The map x -> factor x + offset of RGB values in 0..1."""

    factor: float = 1.0
    offset: float = 0.0

    def then(self, effect: ColorEffect) -> _Linear:
        """Returns this map followed by an effect of brightness or contrast."""
        if effect.name == "brightness":
            return _Linear(self.factor, self.offset + effect.amount)
        return _Linear(self.factor * effect.amount, (self.offset - 0.5) * effect.amount + 0.5)


def sample_color_effects(rng: np.random.Generator) -> list[ColorEffect]:
    """Samples the four effects in the order in which they are to be applied."""
    ranges = {
        "brightness": (-0.125, 0.125),
        "contrast": (0.5, 1.5),
        "hue": (-72, 72),
        "saturation": (0.5, 1.5),
    }
    names = ["brightness", "contrast", "hue", "saturation"]
    rng.shuffle(names)
    return [ColorEffect(name, rng.uniform(*ranges[name])) for name in names]


def augment_color(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Changes the colours of an image randomly.

    Args:
        image: [h, w, 3] RGB, uint8 or float32 in 0..1.
        rng: source of the changes.

    Returns:
        A new image of the same type.
    """
    return apply_color_effects(image, sample_color_effects(rng))


def apply_color_effects(image: np.ndarray, effects: list[ColorEffect]) -> np.ndarray:
    """Applies colour effects in order; see `augment_color`. Factors must be positive.

    Values are clipped to 0..1 only before conversions to HSV and at the end, as in the original.
    """
    colors, is_hsv, pending = image, False, _Linear()
    for effect in effects:
        if effect.name in ("brightness", "contrast"):
            if is_hsv:
                colors, is_hsv = cv2.cvtColor(colors, cv2.COLOR_HSV2RGB, dst=colors), False
            pending = pending.then(effect)
        else:
            if not is_hsv:
                colors = _clipped_floats(colors, pending)
                colors, is_hsv = cv2.cvtColor(colors, cv2.COLOR_RGB2HSV, dst=colors), True
                pending = _Linear()
            colors = _with_hsv_effect(colors, effect)
    if is_hsv:
        colors = cv2.cvtColor(colors, cv2.COLOR_HSV2RGB, dst=colors)
    if image.dtype != np.uint8:
        return _clipped_floats(colors, pending)
    if colors is image:  # nothing but brightness and contrast
        colors, pending = _clipped_floats(colors, pending), _Linear()
    return _truncated_to_bytes(colors, pending)


def _clipped_floats(colors: np.ndarray, linear: _Linear) -> np.ndarray:
    """Returns new float32 colours in 0..1: a linear map of bytes or floats, clipped."""
    if colors.dtype == np.uint8:
        levels = np.arange(256, dtype=np.float32) / 255
        table = np.clip(levels * linear.factor + linear.offset, 0, 1)
        return cv2.LUT(colors, table.astype(np.float32))
    colors = colors * np.float32(linear.factor)
    colors += np.float32(linear.offset)
    return np.clip(colors, 0, 1, out=colors)


def _with_hsv_effect(hsv: np.ndarray, effect: ColorEffect) -> np.ndarray:
    """Returns an HSV image (degrees, 0..1, 0..1) with another hue or saturation."""
    matrix = np.eye(3, 4)
    if effect.name == "hue":
        # The conversion back takes hues modulo 360 degrees, but only nonnegative ones.
        matrix[0, 3] = effect.amount % 360
        return cv2.transform(hsv, matrix, dst=hsv)
    matrix[1, 1] = effect.amount
    hsv = cv2.transform(hsv, matrix, dst=hsv)
    if effect.amount > 1:
        hsv = cv2.min(hsv, (1e9, 1, 1e9, 0), dst=hsv)  # type: ignore[call-overload]
    return hsv


def _truncated_to_bytes(colors: np.ndarray, linear: _Linear) -> np.ndarray:
    """Returns float colours after a linear map, clipped, as bytes; overwrites the colours.

    The original truncates; rounding what is almost half a level less is the same and faster. The
    conversion takes absolute values, so negative results are cut off at its input.
    """
    flat = colors.reshape(colors.shape[0], -1)
    smallest = -linear.offset / linear.factor
    cv2.max(flat, smallest, dst=flat)  # type: ignore[call-overload]
    return cv2.convertScaleAbs(
        colors, alpha=255 * linear.factor, beta=255 * linear.offset - 0.4999
    )
