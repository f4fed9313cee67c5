"""Occluder and background images for augmentation, with synthetic ones as a default."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Union

import cv2
import numpy as np

from metrabs.data.augmentation.sampling import sample_item
from metrabs.data.storage.images import read_image


class Occluder(NamedTuple):
    """An object cut out of an image.

    Attributes:
        image: uint8 [h, w, 3] RGB.
        alpha: float32 [h, w], how opaque the object is, 0..1.
    """

    image: np.ndarray
    alpha: np.ndarray


@dataclasses.dataclass(frozen=True)
class AugmentationPools:
    """What is pasted over and behind people.

    Attributes:
        occluders: objects.
        backgrounds: images without people: uint8 [h, w, 3] RGB arrays, or paths of files.
        sample_item: How one of them is chosen: function of (sequence, generator).
    """

    occluders: Sequence[Occluder]
    backgrounds: Sequence[Union[str, np.ndarray]]
    sample_item: Callable[[Sequence[Any], np.random.Generator], Any] = sample_item

    def sample_background(self, rng: np.random.Generator) -> np.ndarray:
        """Returns a random background, uint8 [h, w, 3] RGB."""
        background = self.sample_item(self.backgrounds, rng)
        return read_image(background) if isinstance(background, str) else background


@functools.lru_cache(maxsize=1)
def synthetic_pools(
    seed: int = 0, num_occluders: int = 60, num_backgrounds: int = 30
) -> AugmentationPools:
    """Returns random shapes and textures, for use where no images are available."""
    rng = np.random.default_rng(seed)
    return AugmentationPools(
        [_random_object(rng) for _ in range(num_occluders)],
        [_random_texture(rng, 256, 256) for _ in range(num_backgrounds)],
    )


def _random_object(rng: np.random.Generator) -> Occluder:
    """Returns a textured blob: the outline is a smooth closed curve about the centre."""
    height, width = rng.integers(40, 200, size=2)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    waves = [rng.uniform(0, 0.3 / k) * np.cos(k * angles + rng.uniform(0, 7)) for k in range(1, 6)]
    radius = (0.65 + sum(waves)) / 1.2
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius[:, np.newaxis]
    outline = np.rint((points + 1) * 0.5 * (width - 1, height - 1)).astype(np.int32)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [outline], (255,))
    alpha = cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32) / 255
    return Occluder(_random_texture(rng, height, width), alpha)


def _random_texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Returns noise of several scales over a random colour, uint8 [height, width, 3]."""
    texture = np.full((height, width, 3), rng.uniform(40, 215, 3), np.float32)
    for cells in (2, 5, 12, 40):
        noise = rng.normal(0, rng.uniform(5, 45), (cells, cells, 3)).astype(np.float32)
        texture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(texture, 0, 255).astype(np.uint8)
