from __future__ import annotations

import numpy as np
import pytest

from metrabs.estimator import plausibility
from metrabs.skeletons import JointInfo
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("infer_plausibility")


def test_mirror_mapping_matches_the_original(data, golden):
    names = golden("infer_common")["joint_names"].tolist()
    assert JointInfo(names, []).mirror_mapping == data["mirror_mapping"].tolist()


def test_bone_test_matches_the_original(data, golden):
    actual = plausibility.has_plausible_bones(
        data["poses"], golden("infer_common")["joint_edges"], data["bone_lengths"]
    )
    assert actual.numpy().tolist() == data["is_pose_plausible"].tolist()


def test_agreement_of_views_matches_the_original(data):
    aligned = plausibility.align_scales(data["aug_poses"])
    assert_close(aligned, data["scale_align"], rtol=1e-4)
    assert_close(plausibility.joint_stdev(aligned), data["aug_stdev"], rtol=1e-3)
    actual = plausibility.views_agree(data["aug_poses"])
    assert actual.numpy().tolist() == data["aug_consistent"].tolist()
    single = plausibility.views_agree(data["aug_poses"][:, :1])
    assert single.numpy().tolist() == data["aug_consistent_single"].tolist()


def test_agreement_with_the_box_matches_the_original(data):
    actual = plausibility.pose_fills_box(data["poses2d"], data["boxes"])
    assert actual.numpy().tolist() == data["box_consistent"].tolist()


def test_pose_suppression_matches_the_original(data):
    assert_close(plausibility.pose_similarity(data["poses"]), data["similarity"], atol=1e-5)
    for is_valid, key in (
        (data["nms_valid"], "nms_indices"),
        (np.zeros_like(data["nms_valid"]), "nms_indices_none_valid"),
    ):
        kept = plausibility.select_distinct_poses(data["poses"], data["nms_scores"], is_valid)
        assert kept.numpy().tolist() == data[key].tolist()
