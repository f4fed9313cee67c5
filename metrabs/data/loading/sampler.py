"""Batch sampling with fixed per-dataset proportions, reshuffled every epoch.

For a merged dataset, a batch holds a fixed number of examples of each member. The sampler computes
in constant time which examples a step uses, so training resumes at any step without replaying the
steps before it.

Deviation: the original shuffles by generators that advance with every item, so it has to replay
them to resume, and it infers the dataset of an example from its path. Here an epoch's order
follows from (seed, dataset, epoch), an example's random numbers from (seed, stream, item), and
every example stores the name of its dataset.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Optional

import numpy as np

from metrabs.data.examples import Example, dataset_codes
from metrabs.errors import UserError


class BatchSampler:
    """Chooses the examples of each batch.

    If the batch size is the sum of `samples_per_batch`, every batch has exactly these numbers of
    examples. With other sizes the proportions hold on average, and any batch is less than two
    examples per dataset away from them. Within a batch, the examples are sorted by dataset, in the
    order of `samples_per_batch`.

    Args:
        examples: All examples.
        batch_size: Number of examples per batch.
        seed: Random seed of the order.
        samples_per_batch: Dataset -> number of its examples in a batch; None to mix all examples.
        stream: Number that makes the random numbers of several streams of examples independent.

    Raises:
        UserError: There are no examples, a dataset has none, or examples are of other datasets.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        batch_size: int,
        seed: int,
        samples_per_batch: Optional[Mapping[str, int]] = None,
        stream: int = 0,
    ) -> None:
        if batch_size < 1:
            raise UserError(f"The batch size must be at least 1, not {batch_size}.")
        self.batch_size = batch_size
        self._seed = (seed, stream)
        self._datasets = [
            _DatasetStream(name, members, seed)
            for name, members in members_by_dataset(examples, samples_per_batch).items()
        ]
        counts = list(samples_per_batch.values()) if samples_per_batch else [1]
        self._order = np.array(interleaved_order(counts))
        self._counts = np.array(counts)
        occurrence = np.zeros_like(self._order)
        for dataset in range(len(counts)):
            occurrence[self._order == dataset] = np.arange(counts[dataset])
        self._occurrence = occurrence

    def sample(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns indices [n] of the examples of a step, and seeds [n, 3] of their generators."""
        return self.example_indices(step), item_seeds(
            *self._seed, step * self.batch_size, (step + 1) * self.batch_size
        )

    def example_indices(self, step: int) -> np.ndarray:
        """Returns the indices of the examples of a step, int64 [batch_size]."""
        slots = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        cycles, positions = np.divmod(slots, len(self._order))
        by_dataset = np.argsort(self._order[positions], kind="stable")
        cycles, positions = cycles[by_dataset], positions[by_dataset]
        datasets = self._order[positions]
        places = cycles * self._counts[datasets] + self._occurrence[positions]
        return np.concatenate(
            [
                self._datasets[dataset].example_indices(places[datasets == dataset])
                for dataset in np.unique(datasets)
            ]
        )


def item_seeds(seed: int, stream: int, start: int, stop: int) -> np.ndarray:
    """Returns the seeds [n, 3] of the generators of the items start..stop-1 of a stream."""
    items = np.arange(start, stop)
    return np.stack([np.full_like(items, seed), np.full_like(items, stream), items], axis=1)


def interleaved_order(counts: Sequence[int]) -> list[int]:
    """Returns a cycle in which item i occurs counts[i] times, spread as evenly as possible.

    In every prefix of the cycle, the number of occurrences of each item is less than one away from
    its proportional number (Tijdeman, "The chairman assignment problem", 1980).
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


class _DatasetStream:
    """The endless sequence of the examples of one dataset, in a new order every epoch."""

    def __init__(self, name: str, members: np.ndarray, seed: int) -> None:
        self._members = members
        self._seed = (seed, zlib.crc32(name.encode("utf-8")))
        self._orders: dict[int, np.ndarray] = {}  # of the last two epochs requested

    def example_indices(self, places: np.ndarray) -> np.ndarray:
        """Returns the indices of the examples at places [n] of the sequence, int64 [n]."""
        epochs, positions = np.divmod(places, len(self._members))
        indices = [self._order(int(e))[p] for e, p in zip(epochs, positions)]
        return self._members[indices].astype(np.int64)

    def _order(self, epoch: int) -> np.ndarray:
        if epoch not in self._orders:
            if len(self._orders) == 2:
                del self._orders[min(self._orders)]
            rng = np.random.default_rng([*self._seed, epoch])
            self._orders[epoch] = rng.permutation(len(self._members)).astype(np.uint32)
        return self._orders[epoch]


def members_by_dataset(
    examples: Sequence[Example], samples_per_batch: Optional[Mapping[str, int]]
) -> dict[str, np.ndarray]:
    """Returns the indices [n] of the examples of each dataset, in batch order.

    Args:
        examples: All examples.
        samples_per_batch: As in `BatchSampler`; if None, all examples are one dataset named ''.

    Raises:
        UserError: There are no examples, a dataset has none, or examples are of other datasets.
    """
    if not len(examples):
        raise UserError("There are no examples to train on in the chosen split of the dataset.")
    if not samples_per_batch:
        return {"": np.arange(len(examples), dtype=np.uint32)}
    names, codes = dataset_codes(examples)
    members = {
        name: np.flatnonzero(codes == code).astype(np.uint32) for code, name in enumerate(names)
    }
    present = [name for name in names if len(members[name])]
    missing = [name for name in samples_per_batch if name not in present]
    extra = [name for name in present if name not in samples_per_batch]
    if missing or extra:
        raise UserError(
            f"Batches are composed of examples of {', '.join(samples_per_batch)}. Without any "
            f"example: {', '.join(missing) or 'none'}; not in batches: "
            f"{', '.join(extra) or 'none'}. Prepare the missing datasets, or merge only those you "
            "have."
        )
    return {name: members[name] for name in samples_per_batch}
