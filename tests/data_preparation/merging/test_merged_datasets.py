from __future__ import annotations

import pytest

from data_preparation.merging.merged_datasets import merged_set
from metrabs.errors import UserError
from metrabs.skeletons.conversion import merge_joint_infos
from metrabs.skeletons.tables import dataset_joint_info


@pytest.mark.parametrize("name, num_joints", [("huge8", 555), ("medium3", 277), ("small5", 77)])
def test_members_give_the_joints_and_edges_of_the_merged_set(name, num_joints):
    merged = merged_set(name)
    members = [
        (dataset_joint_info(member.name, merged_names=False), member.suffix)
        for member in merged.members
    ]
    joint_info = merge_joint_infos(members)
    assert joint_info.num_joints == num_joints
    assert set(joint_info.names) == set(merged.joint_info.names)
    if name != "medium3":
        assert joint_info.names == merged.joint_info.names


@pytest.mark.parametrize("name", ["huge8", "medium3", "small5", "huge2d_common"])
def test_the_training_members_are_those_in_batches(name):
    merged = merged_set(name)
    assert {m.name for m in merged.members if "train" in m.use} == set(merged.samples_per_batch)
    assert sum(merged.samples_per_batch.values()) == (96 if merged.is_3d else 32)


def test_validation_is_on_the_3dhp_test_set_and_mupots():
    uses = {member.name: member.use for member in merged_set("huge8").members}
    assert uses["tdhp"] == {"valid": ("test",)} and uses["mupots"] == {"valid": ("valid",)}
    assert uses["jta"] == {"train": ("train", "valid")} and uses["gpa"] == {"train": ("train",)}


def test_only_some_members_can_be_chosen():
    merged = merged_set("huge8").with_members(["muco", "h36m", "tdhp"])
    assert [member.name for member in merged.members] == ["h36m", "muco", "tdhp"]
    assert merged.samples_per_batch == {"h36m": 4, "muco": 6}
    with pytest.raises(UserError, match="'h37m'"):
        merged_set("huge8").with_members(["h37m"])
