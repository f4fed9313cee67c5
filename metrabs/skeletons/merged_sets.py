"""The merged datasets: members, batch composition and rules of merging, from `data/merged.json`.

One entry of the file holds everything about a merged set; `tables.merged_joint_info` reads the
joints of the same entry. The values are those of the paper (supplementary: lists of datasets and
batch composition).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from metrabs.errors import unknown_name_error
from metrabs.skeletons.tables import read_table


@dataclasses.dataclass(frozen=True)
class MergedSetEntry:
    """What `data/merged.json` says about a merged dataset, apart from its joints.

    Attributes:
        members: Dataset -> its splits that are for training, in merging order.
        validation: Dataset -> its splits that are for validation, in merging order.
        samples_per_batch: Dataset -> number of its examples in a batch, in batch order.
        caches: Dataset -> names of the cache files that may hold it, in order of preference;
            without entry, the file with the name of the dataset.
        max_composites: Dataset -> how many of its composite images are used; without entry, all.
        is_3d: Whether its examples are 3D.
        is_filtered: Whether implausible training examples are left out (3D).
    """

    members: Mapping[str, tuple[str, ...]]
    validation: Mapping[str, tuple[str, ...]]
    samples_per_batch: Mapping[str, int]
    caches: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    max_composites: Mapping[str, int] = dataclasses.field(default_factory=dict)
    is_3d: bool = True
    is_filtered: bool = True


def merged_set_names() -> list[str]:
    """Returns the names of all merged datasets."""
    return [name for name, entry in read_table("merged").items() if "members" in entry]


@functools.cache
def merged_set_entry(name: str) -> MergedSetEntry:
    """Returns the entry of a merged dataset.

    Args:
        name: Such as 'huge8' or 'huge2d_common'.

    Raises:
        UserError: There is no merged dataset with that name.
    """
    if name not in merged_set_names():
        raise unknown_name_error("merged dataset", name, merged_set_names())
    entry: dict[str, Any] = read_table("merged")[name]
    fields = {field.name for field in dataclasses.fields(MergedSetEntry)}
    return MergedSetEntry(
        **{key: _with_tuples(value) for key, value in entry.items() if key in fields}
    )


def member_names(name: str) -> tuple[str, ...]:
    """Returns the names of a merged dataset's training members, in merging order."""
    return tuple(merged_set_entry(name).members)


def samples_per_batch(name: str) -> dict[str, int]:
    """Returns how many examples of each member a batch of a merged dataset has, in batch order."""
    return dict(merged_set_entry(name).samples_per_batch)


def _with_tuples(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}
