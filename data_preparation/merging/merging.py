"""Merging the caches of single datasets into one, block by block, by joint name.

A merged dataset has all joints of all formats; an example knows those of its own dataset. Only
one block of examples is in memory at a time.

Deviation: the original infers the dataset of an example from its path; here the example stores the
name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple, Optional

import numpy as np

from data_preparation.merging.merged_datasets import Member, MergedSet
from data_preparation.merging.plausibility import PlausibilityFilter
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import CacheWriter
from metrabs.data.storage.columns import Rows
from metrabs.data.storage.example_table import ExampleTable
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.skeletons import JointInfo
from metrabs.skeletons.bones import bone_lengths

# A 2D example needs more than this many of the twelve joints of the limbs.
_TOO_FEW_LIMB_JOINTS = 6
_LIMB_JOINTS = (
    "rank",
    "rkne",
    "rhip",
    "lhip",
    "lkne",
    "lank",
    "rwri",
    "relb",
    "rsho",
    "lsho",
    "lelb",
    "lwri",
)

Progress = Callable[[str, int], None]


class MemberCount(NamedTuple):
    """How many examples of a member were merged.

    Attributes:
        dataset: Name of the member.
        split: Split of the merged dataset.
        num_available: Number of examples that the member has for it.
        num_merged: Number of these that were plausible.
    """

    dataset: str
    split: str
    num_available: int
    num_merged: int


def merge(
    merged: MergedSet,
    datasets: Mapping[str, PoseDataset],
    path: PathLike,
    plausibility: Optional[PlausibilityFilter] = None,
    on_progress: Optional[Progress] = None,
) -> list[MemberCount]:
    """Writes the cache of a merged dataset.

    Args:
        merged: Merged set to build.
        datasets: Opened cache of each member, by name.
        path: Path of the new cache file.
        plausibility: Filter of the training examples, used if the merged set is filtered.
        on_progress: Called with the name of a step and the number of examples done since the last
            call.

    Raises:
        UserError: a cache lacks joints that the member has, or is not from a cache file.
    """
    sources = [_Source(member, datasets[member.name], merged) for member in merged.members]
    report = on_progress or (lambda step, count: None)
    usual_lengths = None
    if merged.is_filtered:
        bones = _MeanBoneLengths(len(merged.joint_info.edges))
        for source in sources:
            for rows in source.blocks("train", report, "measuring bones"):
                bones.add(source, rows)
        usual_lengths = bones.lengths_mm
    counts = []
    with CacheWriter(path, merged.name, merged.joint_info, merged.samples_per_batch) as writer:
        measured = {
            split: _MeanBoneLengths(len(merged.joint_info.edges))
            for split in ("train", "trainval")
        }
        for split in ("train", "valid"):
            for source in sources:
                num_merged = 0
                for rows in source.blocks(split, report, "merging"):
                    if split == "train":
                        rows = _filtered(source, rows, usual_lengths, plausibility)
                    for measured_split in ("train", "trainval")[split == "valid" :]:
                        measured[measured_split].add(source, rows)
                    writer.append_rows(split, source.in_merged_joints(rows), merged.is_3d)
                    num_merged += len(rows)
                if source.num_available(split):
                    if not num_merged:
                        raise UserError(
                            f"None of the {source.num_available(split)} {split} examples of "
                            f"'{source.member.name}' is plausible. Look at them with "
                            "`python -m data_preparation.inspect`; perhaps their unit is not mm."
                        )
                    counts.append(
                        MemberCount(
                            source.member.name, split, source.num_available(split), num_merged
                        )
                    )
        if merged.is_3d:
            writer.bone_lengths_mm = {k: v.lengths_mm for k, v in measured.items()}
    return counts


class _Source:
    """A member and how its joints map to those of the merged dataset."""

    def __init__(self, member: Member, dataset: PoseDataset, merged: MergedSet) -> None:
        self.member = member
        self._dataset = dataset
        merged_joints = merged.joint_info
        names = [name for name in member.joint_info.names if name in merged_joints.ids]
        self.merged_indices = np.array([merged_joints.ids[name] for name in names])
        self.num_merged = merged_joints.num_joints
        self.joint_info, self.bones = _part_of(merged_joints, self.merged_indices)
        self._own_indices = _joint_places(member, dataset, names)

    def num_available(self, split: str) -> int:
        """Returns how many examples there are for a split of the merged dataset."""
        return sum(len(self._dataset.split(s)) for s in self.member.use.get(split, ()))

    def blocks(self, split: str, report: Progress, step: str) -> Iterator[Rows]:
        """Yields the examples for a split, with the member's own joints in merged order."""
        for taken in self.member.use.get(split, ()):
            examples = self._dataset.split(taken)
            if not len(examples):
                continue
            if not isinstance(examples, ExampleTable):
                raise UserError(f"Dataset '{self.member.name}' must be opened from a cache file.")
            for rows in examples.blocks():
                num_rows = len(rows)
                if self.member.num_composites is not None:
                    rows = rows.take(_is_early_composite(rows, self.member.num_composites))
                rows = rows.with_dataset(self.member.name)
                yield rows.with_joints(self._own_indices, self.joint_info.num_joints)
                report(f"{step}: {self.member.name}", num_rows)

    def in_merged_joints(self, rows: Rows) -> Rows:
        """Returns examples of `blocks` with the joints of the merged dataset."""
        return rows.with_joints(self.merged_indices, self.num_merged)


class _MeanBoneLengths:
    """Mean lengths of the bones of a merged skeleton over blocks of examples of its members."""

    def __init__(self, num_bones: int) -> None:
        self._sum = np.zeros(num_bones)
        self._count = np.zeros(num_bones, np.int64)

    @property
    def lengths_mm(self) -> np.ndarray:
        """float32 [E]; 0 for a bone that was never seen."""
        return (self._sum / np.maximum(self._count, 1)).astype(np.float32)

    def add(self, source: _Source, rows: Rows) -> None:
        """Counts a block of 3D examples of a member; others have no bones to measure."""
        if len(rows.parts["world_joints"]):
            lengths = bone_lengths(rows.dense_coords("world"), source.joint_info)
            self._sum[source.bones] += np.nansum(lengths, axis=0, dtype=np.float64)
            self._count[source.bones] += np.count_nonzero(~np.isnan(lengths), axis=0)


def _filtered(
    source: _Source,
    rows: Rows,
    usual_lengths: Optional[np.ndarray],
    plausibility: Optional[PlausibilityFilter],
) -> Rows:
    if len(rows.parts["image_joints"]):
        limbs = [source.joint_info.ids[name] for name in _LIMB_JOINTS]
        is_limb = np.isin(rows.parts["image_joints"], limbs)
        num_limbs = np.bincount(rows.owners("image_joints")[is_limb], minlength=len(rows))
        return rows.take(num_limbs > _TOO_FEW_LIMB_JOINTS)
    if usual_lengths is None:
        return rows
    plausibility = plausibility or PlausibilityFilter()
    return plausibility.filtered(rows, source.joint_info, usual_lengths[source.bones])


def _part_of(joint_info: JointInfo, indices: np.ndarray) -> tuple[JointInfo, np.ndarray]:
    """Returns the skeleton of some joints, and which of all bones are those of it."""
    chosen = set(indices.tolist())
    bones = [i for i, (a, b) in enumerate(joint_info.edges) if a in chosen and b in chosen]
    return joint_info.select_joints(indices.tolist()), np.array(bones, int)


def _joint_places(member: Member, dataset: PoseDataset, names: list[str]) -> np.ndarray:
    """Returns, for each joint of a cache, its place among the given merged names, or -1."""
    suffix = f"_{member.suffix}" if member.suffix else ""
    places = {name: i for i, name in enumerate(names)}
    found = np.full(dataset.joint_info.num_joints, -1)
    for joint, name in enumerate(dataset.joint_info.names):
        merged_name = name if suffix and name.endswith(suffix) else name + suffix
        found[joint] = places.get(merged_name, -1)
    missing = [name for place, name in enumerate(names) if place not in found]
    if missing:
        raise UserError(
            f"The cache of '{member.name}' lacks {len(missing)} of the {len(names)} joints that "
            f"it has in merged datasets: {', '.join(missing)}. Its own joints: "
            f"{', '.join(dataset.joint_info.names)}. Prepare the variant with all joints."
        )
    return found


def _is_early_composite(rows: Rows, num_composites: int) -> np.ndarray:
    """Returns which images of MuCo do not have a number beyond the given one."""
    numbers = [re.search(r"(?:^|/)(\d+)_[^/]*$", path) for path in rows.image_paths()]
    return np.array([number is None or int(number[1]) < num_composites for number in numbers])
