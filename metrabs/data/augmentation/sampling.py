"""Random sampling shared by the augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")


def sample_seed(rng: np.random.Generator) -> int:
    """Returns a random seed for a new generator."""
    return int(rng.integers(0, 2**32 - 1))


def seeded_generator(seed: int) -> np.random.Generator:
    """Returns a generator with the given seed."""
    return np.random.Generator(np.random.PCG64(seed))


def child_generator(rng: np.random.Generator) -> np.random.Generator:
    """Returns a new generator seeded by one number from `rng`."""
    return seeded_generator(sample_seed(rng))


def uniform_in_disc(rng: np.random.Generator) -> np.ndarray:
    """Returns a point [2] that is uniformly distributed in the unit disc."""
    angle = rng.uniform(-np.pi, np.pi)
    radius = np.sqrt(rng.uniform(0, 1))
    return radius * np.array([np.cos(angle), np.sin(angle)])


def sample_item(items: Sequence[_T], rng: np.random.Generator) -> _T:
    """Returns one of the items, each with the same probability.

    Deviation: the original never chooses the last item.
    """
    return items[int(rng.integers(0, len(items)))]
