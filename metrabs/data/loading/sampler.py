"""Which examples make up which batch: exact shares of datasets, reshuffled every epoch.

A merged dataset has one section per member, and a batch holds a fixed number of examples of each
(its shares). The plan says in constant time which examples a step uses, so that training resumes
at any step without replaying what came before.

Deviation: the release shuffles by generators that advance with every item, so it has to replay
them to resume, and it knows an example's section from its path. Here an epoch's order follows
from (seed, section, epoch), an example's random numbers from (seed, stream, item), and every
example stores the name of its dataset.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Optional

import numpy as np

from metrabs.data.examples import Example, dataset_codes
from metrabs.errors import UserError


class BatchPlan:
    """Says which examples form each batch.

    With as many examples per batch as there are shares, every batch has exactly the shares. With
    other sizes the shares hold on average, and any batch is less than two examples per section
    away from them. Within a batch, the examples are sorted by section, in the order of the shares.

    Args:
        examples: all examples.
        batch_size: examples per batch.
        seed: of the order.
        shares: examples per batch by dataset name; None means one section of all examples.
        stream: number that keeps the random numbers of several streams of examples apart.

    Raises:
        UserError: there are no examples, a section is empty, or examples belong to no section.
    """

    def __init__(
        self, examples: Sequence[Example], batch_size: int, seed: int,
        shares: Optional[Mapping[str, int]] = None, stream: int = 0,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"The batch size must be at least 1, not {batch_size}.")
        self.batch_size = batch_size
        self._seed = (seed, stream)
        self._sections = [
            _Section(name, members, seed)
            for name, members in section_members(examples, shares).items()
        ]
        counts = list(shares.values()) if shares else [1]
        self._order = np.array(interleaved_order(counts))
        self._counts = np.array(counts)
        occurrence = np.zeros_like(self._order)
        for section in range(len(counts)):
            occurrence[self._order == section] = np.arange(counts[section])
        self._occurrence = occurrence

    def draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns indices [n] of the examples of a step, and seeds [n, 3] of their generators."""
        return self.example_indices(step), item_seeds(
            *self._seed, step * self.batch_size, (step + 1) * self.batch_size
        )

    def example_indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [batch_size]."""
        slots = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        cycles, positions = np.divmod(slots, len(self._order))
        positions_by_section = np.argsort(self._order[positions], kind="stable")
        cycles, positions = cycles[positions_by_section], positions[positions_by_section]
        sections = self._order[positions]
        draws = cycles * self._counts[sections] + self._occurrence[positions]
        return np.concatenate([
            self._sections[section].example_indices(draws[sections == section])
            for section in np.unique(sections)
        ])


def item_seeds(seed: int, stream: int, start: int, stop: int) -> np.ndarray:
    """Returns the seeds [n, 3] of the generators of the items start..stop-1 of a stream."""
    items = np.arange(start, stop)
    return np.stack([np.full_like(items, seed), np.full_like(items, stream), items], axis=1)


def interleaved_order(counts: Sequence[int]) -> list[int]:
    """Returns a cycle in which item i occurs counts[i] times, spread as evenly as possible.

    In every run from the start of the cycle the number of occurrences of each item is less than
    one away from its share (Tijdeman, "The chairman assignment problem", 1980).
    """
    num_items, total = len(counts), sum(counts)
    if num_items == 1:
        return [0] * total
    slack = Fraction(1, 2 * num_items - 2)
    taken = [0] * num_items
    order = []
    for time in range(1, total + 1):
        owed = [Fraction(count * time, total) - taken[i] for i, count in enumerate(counts)]
        due = [i for i in range(num_items) if owed[i] >= slack]
        chosen = min(due, key=lambda i: ((taken[i] + 1 - slack) / counts[i], i))
        taken[chosen] += 1
        order.append(chosen)
    return order


class _Section:
    """An endless sequence of the examples of one dataset, in a new order every epoch."""

    def __init__(self, name: str, members: np.ndarray, seed: int) -> None:
        self._members = members
        self._seed = (seed, zlib.crc32(name.encode("utf-8")))
        self._orders: dict[int, np.ndarray] = {}  # of the last two epochs asked for

    def example_indices(self, draws: np.ndarray) -> np.ndarray:
        """Returns which examples come at given places [n] of the sequence, int64 [n]."""
        epochs, places = np.divmod(draws, len(self._members))
        indices = [self._order(int(e))[p] for e, p in zip(epochs, places)]
        return self._members[indices].astype(np.int64)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            if len(self._orders) == 2:
                del self._orders[min(self._orders)]
            rng = np.random.default_rng([*self._seed, epoch])
            self._orders[epoch] = rng.permutation(len(self._members)).astype(np.uint32)
        return self._orders[epoch]


def section_members(
    examples: Sequence[Example], shares: Optional[Mapping[str, int]]
) -> dict[str, np.ndarray]:
    """Returns the indices [n] of the examples of each section, in the order of the shares.

    Args:
        examples: all examples.
        shares: as in `BatchPlan`; without any, there is one section with an empty name.

    Raises:
        UserError: there are no examples, a section is empty, or examples belong to no section.
    """
    if not len(examples):
        raise UserError("There are no examples to train on in the chosen split of the dataset.")
    if not shares:
        return {"": np.arange(len(examples), dtype=np.uint32)}
    names, codes = dataset_codes(examples)
    members = {
        name: np.flatnonzero(codes == code).astype(np.uint32) for code, name in enumerate(names)
    }
    present = [name for name in names if len(members[name])]
    missing = [name for name in shares if name not in present]
    extra = [name for name in present if name not in shares]
    if missing or extra:
        raise UserError(
            f"Batches have shares of {', '.join(shares)}. Without any example: "
            f"{', '.join(missing) or 'none'}; without a share: {', '.join(extra) or 'none'}. "
            "Prepare the missing datasets, or merge only those you have."
        )
    return {name: members[name] for name in shares}
