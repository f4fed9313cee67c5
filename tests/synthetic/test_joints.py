from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.skeletons import tables
from metrabs.skeletons.merged_sets import member_names
from metrabs.synthetic import body, shapes
from metrabs.synthetic.joints import anatomical_points_of, joint_places, joints_of
from metrabs.synthetic.poses import POSE_CLASSES, sample_pose


@pytest.fixture
def state() -> body.BodyState:
    rng = np.random.default_rng(4)
    return body.pose_body(shapes.sample_shape(rng), sample_pose(rng, "walking"))


def test_every_one_of_the_555_joints_has_a_place(state):
    joints = joints_of(state)
    assert joints.shape == (555, 3)
    assert np.isfinite(joints).all()


@pytest.mark.parametrize("dataset", [*member_names("huge8"), *member_names("huge2d_common")])
def test_every_dataset_can_be_annotated_completely(dataset, state):
    names = tables.format_members(dataset)
    assert joints_of(state, names).shape == (len(names), 3)


def test_unknown_joint_is_a_user_error(state):
    with pytest.raises(UserError, match="'ltail_h36m' has no place"):
        joints_of(state, ["ltail_h36m"])


def test_selected_joints_are_those_of_the_full_list(state):
    names = tables.merged_joint_info("huge8").names
    np.testing.assert_array_equal(joints_of(state, names[100:130]), joints_of(state)[100:130])


@pytest.mark.parametrize("pose_class", POSE_CLASSES)
def test_mirroring_a_pose_mirrors_the_joints_exactly(pose_class):
    rng = np.random.default_rng(9)
    shape, pose = shapes.sample_shape(rng), sample_pose(rng, pose_class)
    joints = joints_of(body.pose_body(shape, pose))
    mirrored = joints_of(body.pose_body(shape, body.mirror_pose(pose)))
    mapping = tables.merged_joint_info("huge8").mirror_mapping
    np.testing.assert_allclose(mirrored, joints[mapping] * [1, -1, 1], atol=1e-9)


def test_every_joint_lies_near_its_anatomical_place(state):
    distances = np.linalg.norm(joints_of(state) - anatomical_points_of(state), axis=1)
    assert distances.max() <= 60
    assert distances.mean() > 5


def test_formats_disagree_about_the_same_joint(state):
    names = [
        name
        for name in tables.merged_joint_info("huge8").names
        if tables.base_name(name) == "lhip"
    ]
    hips = joints_of(state, names)
    distances = np.linalg.norm(hips[:, np.newaxis] - hips, axis=-1)[np.triu_indices(len(hips), 1)]
    assert distances.min() > 1 and 15 < np.median(distances) < 60


def test_places_are_deterministic():
    first = joint_places(("lelb_h36m", "rsho_coco"))
    joint_places.cache_clear()
    second = joint_places(("lelb_h36m", "rsho_coco"))
    np.testing.assert_array_equal(first.offsets_mm, second.offsets_mm)


def test_joints_follow_their_bones_rigidly():
    shape = shapes.reference_shape()
    bent = body.rest_pose()
    bent.angles[body.bone_id("l_forearm"), 0] = 90
    names = ["lwri_h36m", "lelb_h36m", "lkne_h36m", "lwri_coco"]
    straight_joints = joints_of(body.pose_body(shape, body.rest_pose()), names)
    bent_joints = joints_of(body.pose_body(shape, bent), names)
    np.testing.assert_allclose(bent_joints[2], straight_joints[2])
    assert bent_joints[0, 0] > straight_joints[0, 0] + 200
    between = [np.linalg.norm(j[0] - j[3]) for j in (straight_joints, bent_joints)]
    assert between[0] == pytest.approx(between[1])


def test_left_and_right_names_are_on_their_sides():
    names = tables.merged_joint_info("huge8").names
    joints = joints_of(body.pose_body(shapes.reference_shape(), body.rest_pose()))
    for name, mirrored, y in zip(
        names, tables.merged_joint_info("huge8").mirror_mapping, joints[:, 1]
    ):
        if names[mirrored] == name:
            assert y == pytest.approx(0, abs=1e-9)
        else:
            assert (y > 0) == name.startswith("l"), name
