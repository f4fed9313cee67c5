"""The tables of conventions agree with the merge rule and with each other."""

from __future__ import annotations

import pytest

from metrabs.errors import UserError
from metrabs.skeletons import JointInfo, tables
from metrabs.skeletons.conversion import merge_joint_infos
from metrabs.skeletons.merged_sets import member_names

MERGED = [
    ("huge8", member_names("huge8"), 555, 446),
    ("medium3", member_names("medium3"), 277, 251),
    ("small5", member_names("small5"), 77, 74),
]
_ORIGINAL_SKELETONS = {
    "3dpeople_29", "aspset_17", "berkeley_mhad_43", "bml_movi_87", "coco_19", "ghum_35", "gpa_34",
    "h36m_17", "h36m_25", "human4d_32", "ikea_asm_17", "jta_22", "kinectv2_25", "lsp_14",
    "mads_19", "mpi_inf_3dhp_17", "mpi_inf_3dhp_28", "sailvos_26", "smpl+head_30", "smpl_24",
    "smplx_42", "total_capture_21", "umpm_15",
}  # fmt: skip
ALL_MERGED = [*(row[0] for row in MERGED), "huge2d_common"]


@pytest.mark.parametrize("name, members, num_joints, num_edges", MERGED)
def test_merging_the_members_gives_the_original_joint_list(name, members, num_joints, num_edges):
    merged = merge_joint_infos([(tables.dataset_joint_info(member), "") for member in members])
    original = tables.merged_joint_info(name)
    assert merged == original
    assert merged.mirror_mapping == original.mirror_mapping
    assert (original.num_joints, len(original.edges)) == (num_joints, num_edges)


@pytest.mark.parametrize("name, members, num_joints, num_edges", MERGED)
def test_every_dataset_annotates_joints_of_the_merged_list(name, members, num_joints, num_edges):
    ids = tables.merged_joint_info(name).ids
    annotated = [joint for member in members for joint in tables.format_members(member)]
    assert set(annotated) == set(ids)


def test_there_are_28_datasets_and_the_smaller_sets_are_parts_of_them():
    assert len(member_names("huge8")) == len(set(member_names("huge8"))) == 28
    assert set(member_names("small5")) < set(member_names("medium3")) < set(member_names("huge8"))
    assert len(member_names("medium3")) == 14


@pytest.mark.parametrize("name", ALL_MERGED)
def test_mirroring_a_merged_list_is_an_involution_that_keeps_the_edges(name):
    info = tables.merged_joint_info(name)
    assert [info.mirror_mapping[i] for i in info.mirror_mapping] == list(range(info.num_joints))
    mirrored = {tuple(sorted(info.mirror_mapping[i] for i in edge)) for edge in info.edges}
    assert mirrored == {tuple(sorted(edge)) for edge in info.edges}


def test_2d_members_merge_to_22_names_that_contain_the_17_of_the_2d_loss():
    members = [(tables.dataset_joint_info(name), "") for name in member_names("huge2d_common")]
    common = tables.merged_joint_info("huge2d_common")
    names = merge_joint_infos(members).names
    assert len(names) == 22 and set(common.names) < set(names)
    assert common == JointInfo(common.names, "rsho-relb-rwri,rhip-rkne-rank,rear-reye-nose")


def test_validation_datasets_are_parts_of_their_training_format():
    for name in ("tdhp", "mupots"):
        assert set(tables.format_members(name)) < set(tables.format_members("muco"))


def test_own_names_of_a_dataset_carry_no_suffix():
    assert tables.dataset_joint_info("jta", merged_names=False).names[0] == "htop"
    assert tables.format_members("jta")[0] == "htop_jta"
    assert tables.format_members("humbi")[0] == "nose_coco"


def test_unknown_names_are_errors_that_list_the_known_ones():
    with pytest.raises(UserError, match="small5"):
        tables.merged_joint_info("huge9")
    with pytest.raises(UserError, match="surreal"):
        tables.format_members("imagenet")


def test_suffix_and_base_of_joint_names():
    assert tables.format_suffix("lhip_h36m") == "h36m" and tables.base_name("lhip_h36m") == "lhip"
    assert tables.format_suffix("pelv") == "smpl" and tables.base_name("pelv") == "pelv"


def test_full_model_offers_all_named_skeletons_and_the_full_output():
    skeletons = tables.export_skeletons(
        tables.merged_joint_info("huge8").names + tables.merged_joint_info("kinectv2").names
    )
    assert _ORIGINAL_SKELETONS <= set(skeletons) and list(skeletons)[-1] == ""
    assert len(skeletons[""].indices) == 580 and len(skeletons[""].edges) == 446 + 24
    for name, skeleton in skeletons.items():
        num_joints = len(skeleton.names)
        assert name == "" or name.endswith(f"_{num_joints}")
        assert len(set(skeleton.edges)) == len(skeleton.edges)
        assert all(0 <= a < b < num_joints for a, b in skeleton.edges)
        assert len(set(skeleton.indices)) == len(skeleton.indices) == num_joints
        JointInfo(skeleton.names, skeleton.edges)  # every sided name has its partner


def test_exported_smpl_skeleton_has_the_official_order_and_spine_names():
    smpl = tables.export_skeletons(tables.merged_joint_info("small5").names)["smpl_24"]
    assert smpl.indices[:3] == [23, 0, 1]
    assert smpl.names[:4] == ["pelv", "lhip", "rhip", "spi1"] and len(smpl.edges) == 23


def test_exported_17_joint_3dhp_skeleton_links_neck_to_shoulders_once():
    skeleton = tables.export_skeletons(tables.merged_joint_info("huge8").names)["mpi_inf_3dhp_17"]
    by_name = [f"{skeleton.names[a]}-{skeleton.names[b]}" for a, b in skeleton.edges]
    assert len(by_name) == len(set(by_name)) == 16
    assert {"neck-rsho", "neck-lsho", "neck-spin"} < set(by_name)


def test_models_offer_only_skeletons_whose_joints_they_have():
    joint_names = tables.merged_joint_info("small5").names
    skeletons = tables.export_skeletons(joint_names)
    offered = {"smpl_24", "h36m_17", "h36m_25", "mpi_inf_3dhp_17", "mpi_inf_3dhp_28", ""}
    assert set(skeletons) & (_ORIGINAL_SKELETONS | {""}) == offered
    assert skeletons[""].names[:2] == ["lhip_smpl", "rhip_smpl"]
    assert len(skeletons[""].edges) == 74
    assert "kinectv2_25" not in tables.export_skeletons(tables.merged_joint_info("huge8").names)


def test_model_of_a_single_dataset_keeps_its_names_and_own_edges():
    info = tables.dataset_joint_info("jta", merged_names=False)
    skeletons = tables.export_skeletons(info.names, info.edges)
    assert list(skeletons) == [""]
    assert skeletons[""].names == info.names and skeletons[""].edges == info.edges
