"""A small random part of a large dataset, to try things out with."""

from __future__ import annotations

import numpy as np

from metrabs.data.examples import SPLITS, PoseDataset
from metrabs.data.storage.cache import CacheWriter
from metrabs.data.storage.example_table import BLOCK_LENGTH, ExampleTable
from metrabs.errors import UserError
from metrabs.files import PathLike


def write_subset(
    dataset: PoseDataset, path: PathLike, name: str, num_examples: int, seed: int
) -> None:
    """Writes a cache with a random choice of the training examples, and all others.

    Args:
        dataset: Opened cache.
        path: Path of the new cache file.
        name: Name of the new dataset.
        num_examples: Number of its training examples; all, if there are fewer.
        seed: Random seed of the choice.

    Raises:
        UserError: the choice has no example of a dataset that batches need.
    """
    with CacheWriter(path, name, dataset.joint_info, dataset.samples_per_batch) as writer:
        writer.bone_lengths_mm = dataset.bone_lengths_mm
        for split in SPLITS:
            table = dataset.split(split)
            if not len(table):
                continue
            assert isinstance(table, ExampleTable)
            is_chosen = np.ones(len(table), bool)
            if split == "train":
                is_chosen = _random_choice(len(table), num_examples, seed)
                _check_members(dataset, table, is_chosen)
            for start in range(0, len(table), BLOCK_LENGTH):
                stop = min(start + BLOCK_LENGTH, len(table))
                if is_chosen[start:stop].any():
                    rows = table.rows(start, stop).take(is_chosen[start:stop])
                    writer.append_rows(split, rows, table.is_3d)


def _random_choice(total: int, num: int, seed: int) -> np.ndarray:
    """Returns a boolean array [total] that is true at `num` random places."""
    is_chosen = np.zeros(total, bool)
    rng = np.random.default_rng(seed)
    is_chosen[rng.choice(total, min(num, total), replace=False)] = True
    return is_chosen


def _check_members(dataset: PoseDataset, table: ExampleTable, is_chosen: np.ndarray) -> None:
    names, codes = table.dataset_codes()
    present = {names[code] for code in np.unique(codes[is_chosen])}
    missing = [name for name in dataset.samples_per_batch or () if name not in present]
    if missing:
        raise UserError(
            f"Among {np.count_nonzero(is_chosen)} random examples there is none of "
            f"{', '.join(missing)}. Choose more examples or another seed."
        )
