from __future__ import annotations

import pytest

from metrabs.errors import UserError
from metrabs.skeletons.merged_sets import (
    member_names,
    merged_set_entry,
    merged_set_names,
    samples_per_batch,
)
from metrabs.skeletons.tables import dataset_joint_info

# In merging order (paper, supplementary: "28 datasets").
MEMBERS = {
    "huge8": "surreal h36m fit3d chi3d humansc3d sailvos panoptic muco aist gpa humbi aspset "
    "agora tdoh tdpeople bml_movi mads umpm bmhad tdhp_full totalcapture jta ikea "
    "human4d behave rich spec hspace",
    "medium3": "surreal h36m sailvos panoptic muco aist humbi agora jta tdhp_full tdpeople "
    "totalcapture rich hspace",
    "small5": "surreal h36m muco",
    "huge2d_common": "mpii coco posetrack jrdb",
}
# In batch order.
SAMPLES = {
    "huge8": "h36m 4 muco 6 humbi 5 tdoh 3 agora 3 surreal 5 panoptic 7 aist 6 aspset 4 gpa 4 "
    "tdpeople 4 sailvos 5 bml_movi 5 mads 2 umpm 2 bmhad 3 tdhp_full 3 totalcapture 3 "
    "jta 3 ikea 2 human4d 1 behave 3 rich 4 spec 2 fit3d 2 chi3d 1 humansc3d 1 hspace 3",
    "medium3": "h36m 9 muco 9 humbi 7 agora 5 surreal 8 panoptic 9 aist 9 tdpeople 6 sailvos 7 "
    "totalcapture 5 jta 5 tdhp_full 5 rich 7 hspace 5",
    "small5": "surreal 32 h36m 32 muco 32",
    "huge2d_common": "mpii 8 coco 8 jrdb 8 posetrack 8",
}


def test_all_merged_sets_are_listed():
    assert merged_set_names() == list(MEMBERS)


@pytest.mark.parametrize("name", MEMBERS)
def test_members_and_batches_have_the_order_of_the_paper(name):
    assert " ".join(member_names(name)) == MEMBERS[name]
    assert " ".join(f"{k} {v}" for k, v in samples_per_batch(name).items()) == SAMPLES[name]


@pytest.mark.parametrize("name", MEMBERS)
def test_all_parts_of_an_entry_are_about_its_members(name):
    entry = merged_set_entry(name)
    assert set(entry.samples_per_batch) == set(entry.members)
    assert {*entry.caches, *entry.max_composites} <= set(entry.members)
    for dataset in (*entry.members, *entry.validation):
        assert dataset_joint_info(dataset).num_joints > 0


def test_rules_of_merging():
    huge, small = merged_set_entry("huge8"), merged_set_entry("small5")
    assert huge.is_3d and huge.is_filtered and not small.is_filtered
    assert not merged_set_entry("huge2d_common").is_3d
    assert huge.validation == {"tdhp": ("test",), "mupots": ("valid",)}
    assert huge.caches == {"h36m": ("h36m_alljoints", "h36m")}
    assert huge.max_composites == {"muco": 200_000}
    also_validation = [name for name, splits in huge.members.items() if "valid" in splits]
    assert also_validation == [
        "surreal",
        "h36m",
        "sailvos",
        "aist",
        "aspset",
        "agora",
        "jta",
        "rich",
    ]


@pytest.mark.parametrize("name", ["huge9", "kinectv2"])
def test_unknown_merged_sets_are_reported(name):
    with pytest.raises(UserError, match=f"'{name}'.*small5"):
        merged_set_entry(name)
