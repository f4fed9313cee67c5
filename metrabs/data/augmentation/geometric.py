"""Geometric augmentation: shift, scale, rotation, mirroring and partial views of a crop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.sampling import seeded_generator, uniform_in_disc
from metrabs.geometry import boxes


class GeometricAugmentation(NamedTuple):
    """A random change of the crop camera.

    Attributes:
        shift: Shift [2], in units of the longer box side.
        zoom: Zoom factor.
        roll: Rotation of the camera about its axis, radians.
        is_mirrored: Whether left and right are exchanged.
    """

    shift: np.ndarray
    zoom: float = 1.0
    roll: float = 0.0
    is_mirrored: bool = False


NO_AUGMENTATION = GeometricAugmentation(np.zeros(2))


def sample_geometric_augmentation(
    config: LoadingConfig, may_mirror: bool, rng: np.random.Generator
) -> GeometricAugmentation:
    """Samples an augmentation within the ranges of the settings.

    Args:
        config: The ranges.
        may_mirror: Whether to mirror half of the examples.
        rng: Generator; used in the original order: shift, zoom, rotation, mirroring.
    """
    shift = uniform_in_disc(rng) * (config.shift_aug / 100)
    zoom = rng.uniform(1 - config.scale_aug_down / 100, 1 + config.scale_aug_up / 100)
    largest_roll = np.deg2rad(config.rot_aug)
    if config.full_rot_aug_prob != 0 and rng.random() < config.full_rot_aug_prob:
        largest_roll = np.pi
    roll = rng.uniform(-largest_roll, largest_roll)
    return GeometricAugmentation(shift, zoom, roll, bool(may_mirror and rng.random() < 0.5))


def random_partial_box(rng: np.random.Generator) -> np.ndarray:
    """Samples a square box (left, top, width, height) of side over 0.5 inside the unit square."""
    while True:
        left = rng.uniform(0, 0.5)
        right, bottom = rng.uniform(0.5, 1, size=2)
        side = right - left
        if 0.5 < side < bottom:
            return np.array([left, bottom - side, side, side])


def random_partial_subbox(box_ltwh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Samples a box inside a square box [4], as if the person were only partly in view."""
    relative = random_partial_box(rng)
    size = np.asarray(box_ltwh[2:])
    return np.concatenate([box_ltwh[:2] + relative[:2] * size, relative[2:] * size])


def sample_partial_visibility_box(box_ltwh: np.ndarray, prob: float, seed: int) -> np.ndarray:
    """Returns a random part of a box [4] (made square) with a given probability, else the box."""
    if prob == 0:
        return box_ltwh
    rng = seeded_generator(seed)
    if rng.random() >= prob:
        return box_ltwh
    return random_partial_subbox(boxes.expand_to_square(box_ltwh), rng)
