"""Merged datasets and their members, such as huge8 and h36m, as merging sees them.

The table is `metrabs/skeletons/data/merged.json`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Optional

from metrabs.errors import unknown_name_error
from metrabs.skeletons import JointInfo
from metrabs.skeletons.merged_sets import MergedSetEntry, merged_set_entry
from metrabs.skeletons.tables import dataset_joint_info, format_suffix, merged_joint_info


@dataclasses.dataclass(frozen=True)
class Member:
    """A dataset that is part of a merged one.

    Attributes:
        name: Name of the dataset; its examples carry it.
        use: Split of the merged dataset -> the splits of the member that go there.
        cache_names: Names of the cache files that may hold it, in order of preference.
        num_composites: Number of composite images that are used; None for all.
    """

    name: str
    use: Mapping[str, tuple[str, ...]]
    cache_names: tuple[str, ...]
    num_composites: Optional[int] = None

    @property
    def joint_info(self) -> JointInfo:
        """The joints that it annotates, named as in the merged set."""
        return dataset_joint_info(self.name)

    @property
    def suffix(self) -> str:
        """What the merged set adds to the dataset's own joint names, without the underscore."""
        own = dataset_joint_info(self.name, merged_names=False).names[0]
        merged = self.joint_info.names[0]
        return "" if own == merged else format_suffix(merged)


@dataclasses.dataclass(frozen=True)
class MergedSet:
    """A merged dataset.

    Attributes:
        name: Such as 'huge8'.
        members: Members in merging order.
        joint_info: All joints.
        samples_per_batch: Number of examples of each member in a batch, in batch order.
        is_filtered: Whether implausible training examples are left out (3D).
        is_3d: Whether its examples are 3D.
    """

    name: str
    members: tuple[Member, ...]
    joint_info: JointInfo
    samples_per_batch: Mapping[str, int]
    is_filtered: bool
    is_3d: bool

    def with_members(self, names: list[str]) -> MergedSet:
        """Returns the set with only some of its members.

        Raises:
            UserError: A name is not that of a member.
        """
        known = [member.name for member in self.members]
        for name in names:
            if name not in known:
                raise unknown_name_error(f"member of {self.name}", name, known)
        members = tuple(m for m in self.members if m.name in names)
        remaining = {k: v for k, v in self.samples_per_batch.items() if k in names}
        return dataclasses.replace(self, members=members, samples_per_batch=remaining)


def merged_set(name: str) -> MergedSet:
    """Returns the merged dataset with a name.

    Raises:
        UserError: There is no merged dataset with that name.
    """
    entry = merged_set_entry(name)
    members = [
        _member(dataset, {"train": splits}, entry) for dataset, splits in entry.members.items()
    ] + [
        _member(dataset, {"valid": splits}, entry) for dataset, splits in entry.validation.items()
    ]
    return MergedSet(
        name,
        tuple(members),
        merged_joint_info(name),
        entry.samples_per_batch,
        entry.is_filtered,
        entry.is_3d,
    )


def _member(name: str, use: Mapping[str, tuple[str, ...]], entry: MergedSetEntry) -> Member:
    return Member(name, use, entry.caches.get(name, (name,)), entry.max_composites.get(name))
