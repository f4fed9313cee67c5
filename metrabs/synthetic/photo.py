"""What a camera does to light: exposure, white balance, blur, grain, and JPEG compression."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

_GRAIN_LENGTH = 1 << 19
_GRAIN_SEED = 77


@dataclasses.dataclass(frozen=True)
class PhotoStyle:
    """Ranges from which each image's sensor is drawn.

    Attributes:
        saturation: colourfulness, 1 as rendered.
        contrast: 1 as rendered.
        brightness: mean level of the image, 0 to 1.
        cast: spread of the white balance.
        tint: white balance that all images share, [red, green, blue].
        blur_px: Gaussian blur of the lens, standard deviation.
        grain: standard deviation of the noise, 0 to 1.
        jpeg_quality: 1 to 100.
    """

    saturation: tuple[float, float] = (0.8, 1.1)
    contrast: tuple[float, float] = (0.9, 1.1)
    brightness: tuple[float, float] = (0.38, 0.55)
    cast: float = 0.03
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    blur_px: tuple[float, float] = (0.2, 0.7)
    grain: tuple[float, float] = (0.0, 0.02)
    jpeg_quality: tuple[int, int] = (88, 96)


def take_photo(rng: np.random.Generator, light: np.ndarray, style: PhotoStyle) -> np.ndarray:
    """Turns a rendered image into a photograph.

    Args:
        rng: Source of randomness.
        light: [height, width, 3] float32 RGB, about 0 to 1.
        style: the kind of camera.

    Returns:
        [height, width, 3] uint8 RGB.
    """
    level = float(light[::4, ::4].mean()) + 1e-3
    # Automatic exposure, with the restraint of a camera that has seen other frames too.
    gain = np.clip(rng.uniform(*style.brightness) / level, 0.7, 1.7) ** 0.7
    contrast = rng.uniform(*style.contrast)
    balance = np.array(style.tint) * (1 + rng.normal(0, style.cast, 3))
    saturation = rng.uniform(*style.saturation)
    blur = rng.uniform(*style.blur_px)
    grain = rng.uniform(*style.grain)
    # All of it is one affine map of the colours.
    to_grey = np.full([3, 3], (1 - saturation) / 3) + saturation * np.eye(3)
    matrix = contrast * gain * balance[:, np.newaxis] * to_grey
    offset = np.full([3, 1], 0.45 * (1 - contrast))
    image = cv2.transform(light, np.hstack([matrix, offset]) * 255)
    if blur > 0.3:
        image = cv2.GaussianBlur(image, (0, 0), blur)
    image = cv2.scaleAdd(_grain_for(rng, (image.shape[0], image.shape[1])), grain * 255, image)
    return cv2.convertScaleAbs(np.maximum(image, 0, out=image))


def encode_jpeg(rng: np.random.Generator, image: np.ndarray, style: PhotoStyle) -> bytes:
    """Compresses a uint8 RGB image [height, width, 3] with a quality from the style's range."""
    quality = int(rng.integers(style.jpeg_quality[0], style.jpeg_quality[1] + 1))
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    return encoded.tobytes()


def _grain_for(rng: np.random.Generator, shape_hw: tuple[int, int]) -> np.ndarray:
    """Noise [h, w, 3] cut at a random place from a fixed tape, repeated if that is short."""
    tape = _grain_tape()
    num_pixels = shape_hw[0] * shape_hw[1]
    start = int(rng.integers(_GRAIN_LENGTH // 2))
    piece = tape[start : start + num_pixels]
    if len(piece) < num_pixels:
        piece = np.resize(piece, (num_pixels, 3))
    return piece.reshape(*shape_hw, 3)


@functools.lru_cache(maxsize=1)
def _grain_tape() -> np.ndarray:
    rng = np.random.default_rng(_GRAIN_SEED)
    grey = rng.normal(size=[_GRAIN_LENGTH, 1])
    color = rng.normal(size=[_GRAIN_LENGTH, 3])
    return (0.9 * grey + 0.35 * color).astype(np.float32)
