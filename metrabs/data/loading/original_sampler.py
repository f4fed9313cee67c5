"""The order of training examples as in the release: generators that advance with every item.

Only for reproducing a run of the release example by example: to begin at a later step, all items
before it are drawn and passed over, whereas `metrabs.data.loading.sampler` computes any step at
once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from metrabs.data.augmentation.draws import child_generator, draw_seed


class Item(NamedTuple):
    """The index of an example and the seed of its random numbers."""

    example: int
    seed: int


def stream_generators(seed: int) -> dict[str, np.random.Generator]:
    """Returns the generators of the streams of a run: '2d', '3d', 'valid', drawn in this order."""
    parent = np.random.Generator(np.random.PCG64(seed))
    return {name: child_generator(parent) for name in ("2d", "3d", "valid")}


def released_items(
    sections: Sequence[np.ndarray], counts: Sequence[int], rng: np.random.Generator
) -> Iterator[Item]:
    """Yields the items of training, endlessly.

    Args:
        sections: [n] indices of the examples of each dataset.
        counts: how many examples of each follow each other in a cycle.
        rng: of the stream.
    """
    orders = [_reshuffled(section, child_generator(rng)) for section in sections]
    item_rng = child_generator(rng)
    while True:
        for order, count in zip(orders, counts):
            for _ in range(count):
                yield Item(int(next(order)), draw_seed(item_rng))


class ReleasedPlan:
    """Says which examples form each batch; like `BatchPlan`, but replayed.

    Args:
        sections, counts, rng: as in `released_items`.
        batch_size: examples per batch; batches cut the endless sequence of items in order.
    """

    def __init__(
        self, sections: Sequence[np.ndarray], counts: Sequence[int], batch_size: int,
        rng: np.random.Generator,
    ) -> None:
        self.batch_size = batch_size
        self._items = released_items(sections, counts, rng)
        self._next_step = 0

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns indices [n] of the examples of a step and their seeds [n, 1].

        Raises:
            ValueError: the step comes before one that was drawn already.
        """
        if step < self._next_step:
            raise ValueError(f"step {step} was drawn or passed over already")
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
