"""The original order of training examples, by generators that advance with every item.

Only for reproducing a run of the original implementation example by example: to start at a later
step, all items before it are sampled and skipped, whereas `metrabs.data.loading.sampler` computes
any step directly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metrabs.data.augmentation.sampling import child_generator, sample_seed


class Item(NamedTuple):
    """The index of an example and the seed of its random numbers."""

    example: int
    seed: int


def stream_generators(seed: int) -> dict[str, np.random.Generator]:
    """Returns the generators of a run's streams: '2d', '3d', 'valid', seeded in this order."""
    parent = np.random.Generator(np.random.PCG64(seed))
    return {name: child_generator(parent) for name in ("2d", "3d", "valid")}


def original_items(
    sections: Sequence[np.ndarray], counts: Sequence[int], rng: np.random.Generator
) -> Iterator[Item]:
    """Yields the items of training, endlessly.

    Args:
        sections: Indices [n] of the examples of each dataset.
        counts: Number of consecutive examples of each dataset in a cycle.
        rng: Generator of the stream.
    """
    orders = [_reshuffled(section, child_generator(rng)) for section in sections]
    item_rng = child_generator(rng)
    while True:
        for order, count in zip(orders, counts):
            for _ in range(count):
                yield Item(int(next(order)), sample_seed(item_rng))


class OriginalSampler:
    """Chooses the examples of each batch like `BatchSampler`, but by replaying the stream.

    Args:
        sections, counts, rng: As in `original_items`.
        batch_size: Number of examples per batch; batches are consecutive pieces of the
            endless sequence of items.
    """

    def __init__(
        self,
        sections: Sequence[np.ndarray],
        counts: Sequence[int],
        batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        self.batch_size = batch_size
        self._items = original_items(sections, counts, rng)
        self._next_step = 0

    def sample(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns indices [n] of the examples of a step and their seeds [n, 1].

        Raises:
            ValueError: The step precedes one that was sampled already.
        """
        if step < self._next_step:
            raise ValueError(f"step {step} was sampled or skipped already")
        for _ in range((step - self._next_step) * self.batch_size):
            next(self._items)
        self._next_step = step + 1
        items = np.array([next(self._items) for _ in range(self.batch_size)], np.int64)
        return items[:, 0], items[:, 1:]


def _reshuffled(members: np.ndarray, rng: np.random.Generator) -> Iterator[int]:
    members = members.copy()
    while True:
        rng.shuffle(members)
        yield from members
