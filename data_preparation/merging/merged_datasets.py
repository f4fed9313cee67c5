"""What the merged datasets are made of: huge8, medium3, small5 (3D) and huge2d_common (2D).

The tables are those of the release (paper, supplementary: lists of datasets and batch shares).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Optional

from metrabs.data.loading.sampler import SHARES
from metrabs.errors import unknown_name_error
from metrabs.skeletons import JointInfo
from metrabs.skeletons.tables import (
    DATASETS_2D,
    DATASETS_3D,
    MEDIUM3_DATASETS,
    SMALL5_DATASETS,
    dataset_joint_info,
    format_suffix,
    merged_joint_info,
)

# Those whose validation people train, too, since other datasets are used for validation.
_TRAIN_ON_VALID = ("surreal", "h36m", "sailvos", "aist", "aspset", "agora", "jta", "rich", "coco")
# Validation: the test set of MPI-INF-3DHP, and MuPoTS.
_VALIDATION = {"tdhp": "test", "mupots": "valid"}
# Human3.6M is usually prepared with 17 joints; the merged sets have the variant with 25. The plain
# MPII has only people apart from others; the merged set has all whom a detector finds.
_VARIANTS = {"h36m": ("h36m_alljoints", "h36m"), "mpii": ("mpii_yolo_nofilt",)}
_MUCO_COMPOSITES = 200_000


@dataclasses.dataclass(frozen=True)
class Member:
    """A dataset that is part of a merged one.

    Attributes:
        name: of the dataset; its examples carry it.
        use: phase of the merged dataset -> the phases of the member that go there.
        cache_names: names of cache files that may hold it, the best first.
        num_composites: of MuCo, how many composite images are used.
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
        name: such as 'huge8'.
        members: in merging order.
        joint_info: all joints.
        shares: examples of each member in a batch.
        is_filtered: whether implausible training examples are left out (3D).
    """

    name: str
    members: tuple[Member, ...]
    joint_info: JointInfo
    shares: Mapping[str, int]
    is_filtered: bool

    @property
    def is_3d(self) -> bool:
        """Whether its examples are 3D."""
        return self.name != "huge2d_common"

    def with_members(self, names: list[str]) -> MergedSet:
        """Returns the set with only some of its members.

        Raises:
            UserError: a name is not that of a member.
        """
        known = [member.name for member in self.members]
        for name in names:
            if name not in known:
                raise unknown_name_error(f"member of {self.name}", name, known)
        members = tuple(m for m in self.members if m.name in names)
        shares = {name: share for name, share in self.shares.items() if name in names}
        return dataclasses.replace(self, members=members, shares=shares)


def merged_set(name: str) -> MergedSet:
    """Returns the merged dataset of a name.

    Raises:
        UserError: there is none of that name.
    """
    datasets_3d = {
        "huge8": DATASETS_3D, "medium3": MEDIUM3_DATASETS, "small5": SMALL5_DATASETS,
    }
    if name == "huge2d_common":
        members = tuple(_training_member(dataset) for dataset in DATASETS_2D)
        return MergedSet(name, members, merged_joint_info(name), SHARES["huge2d"], False)
    if name not in datasets_3d:
        raise unknown_name_error("merged dataset", name, [*datasets_3d, "huge2d_common"])
    training = [_training_member(dataset) for dataset in datasets_3d[name]]
    validation = [
        Member(dataset, {"valid": (phase,)}, (dataset,)) for dataset, phase in _VALIDATION.items()
    ]
    return MergedSet(
        name, (*training, *validation), merged_joint_info(name), SHARES[name],
        is_filtered=name != "small5",
    )


def _training_member(name: str) -> Member:
    phases = ("train", "valid") if name in _TRAIN_ON_VALID else ("train",)
    return Member(
        name, {"train": phases}, _VARIANTS.get(name, (name,)),
        num_composites=_MUCO_COMPOSITES if name == "muco" else None,
    )
