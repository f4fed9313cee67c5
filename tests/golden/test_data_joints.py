"""Joint lists, conversion, merging and bone lengths against the original implementation."""

from __future__ import annotations

import numpy as np
import pytest

from data_preparation.merging.plausibility import PlausibilityFilter
from metrabs.data.examples import Pose3DExample, PoseDataset
from metrabs.data.storage.cache import open_cache, write_cache
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo
from metrabs.skeletons.bones import mean_bone_lengths
from metrabs.skeletons.conversion import JointConverter, merge_joint_infos
from tests.golden.tolerances import assert_close

CHAINS = {"src": "spin-pelv,lsho_a-lelb", "dst": "tors-pelv,lsho-lelb"}


@pytest.fixture
def numbers(golden):
    return golden("data_joints")


@pytest.fixture
def skeletons(numbers):
    return {key: JointInfo(numbers[f"{key}_names"], text) for key, text in CHAINS.items()}


def test_edges_and_mirror_mapping(numbers, skeletons):
    for key, joint_info in skeletons.items():
        assert joint_info.edges == [tuple(edge) for edge in numbers[f"{key}_edges"]]
        assert joint_info.mirror_mapping == numbers[f"{key}_mirror"].tolist()


def test_conversion(numbers, skeletons):
    cases = [key for key in numbers if key.startswith("map_")]
    assert cases
    for key in cases:
        suffix = {"nosuffix": "", "suffix_a": "a"}[key[len("map_") :]]
        converter = JointConverter(skeletons["src"], skeletons["dst"], suffix)
        assert_close(converter.mapping_matrix(), numbers[key])
        expected = numbers[key.replace("map_", "conv_")]
        assert_close(converter.dense(numbers["coords"]), expected)


def test_merging(numbers, skeletons):
    merged = merge_joint_infos([(skeletons["src"], "x"), (skeletons["dst"], "y")])
    assert merged.names == numbers["merged_names"].tolist()
    assert merged.edges == [tuple(edge) for edge in numbers["merged_edges"]]
    assert merged.mirror_mapping == numbers["merged_mirror"].tolist()


@pytest.mark.parametrize("case, source, suffix", [("a", "src", "x"), ("b", "dst", "y")])
def test_conversion_to_the_merged_list(numbers, skeletons, case, source, suffix):
    merged = merge_joint_infos([(skeletons["src"], "x"), (skeletons["dst"], "y")])
    converter = JointConverter(skeletons[source].with_suffix(suffix), merged)
    poses, expected = numbers[f"merge_in_{case}"], numbers[f"merge_out_{case}"]
    for pose, expected_pose in zip(poses, expected):
        valid = np.flatnonzero(~np.isnan(pose).any(axis=1))
        indices, coords = converter.sparse(valid, pose[valid])
        dense = np.full(expected_pose.shape, np.nan, np.float32)
        dense[indices] = coords
        assert_close(dense, expected_pose)


def test_bones(numbers):
    joint_info = JointInfo(numbers["bones_names"], numbers["bones_edges"])
    assert_close(joint_info.bone_matrix(), numbers["bones_mat"])
    assert_close(mean_bone_lengths(numbers["bones_poses"], joint_info), numbers["bones_mean"])


def test_stored_coordinates_lose_less_than_the_original_compression(numbers, tmp_path):
    """The original halves the precision where that costs less than 1 mm; ours never does."""
    cases = [
        key[: -len("_in")]
        for key in numbers
        if key.startswith("compress_") and key.endswith("_in")
    ]
    assert cases
    for case in cases:
        coords_mm = numbers[f"{case}_in"]
        loss_mm = np.nanmax(np.abs(numbers[f"{case}_out"].astype(np.float64) - coords_mm))
        restored = restored_coords(coords_mm, tmp_path / f"{case}.pkl")
        np.testing.assert_array_equal(np.isnan(restored), np.isnan(coords_mm))
        assert loss_mm < 1 and np.nanmax(np.abs(restored - coords_mm)) < 0.01


def test_stored_coordinates_far_from_the_origin_stay_exact(numbers, tmp_path):
    cases = [key for key in numbers if key.startswith("compress_") and key.endswith("_dtype")]
    assert cases
    for case in cases:
        resolution_mm = np.spacing(np.array(50000, str(numbers[case])))
        coords_mm = 50000 + np.random.default_rng(0).normal(0, 300, (9, 3))
        error_mm = np.abs(restored_coords(coords_mm, tmp_path / f"{case}.pkl") - coords_mm).max()
        assert error_mm < max(resolution_mm, 0.01), case


def restored_coords(coords_mm, path):
    """Writes a pose [J, 3] to a cache file and reads it again."""
    joint_info = JointInfo([f"joint{i}" for i in range(len(coords_mm))], [])
    example = Pose3DExample("image.jpg", coords_mm, np.array([0, 0, 1, 1]), Camera())
    write_cache(path, PoseDataset("set", joint_info, [example]))
    return open_cache(path).train[0].world_coords


@pytest.fixture
def judged(numbers, tmp_path):
    """Returns the examples of the plausibility cases as a block of rows, with their skeleton."""
    camera = Camera(
        optical_center=numbers["plaus_cam_t"],
        rot_world_to_cam=numbers["plaus_cam_R"],
        intrinsic_matrix=numbers["plaus_cam_K"],
        world_up=numbers["plaus_cam_up"],
        distortion_coeffs=numbers["plaus_cam_dist"] if len(numbers["plaus_cam_dist"]) else None,
    )
    joint_info = JointInfo(numbers["bones_names"], numbers["bones_edges"])
    examples = [
        Pose3DExample(str(path), world, box, camera)
        for path, world, box in zip(
            numbers["plaus_paths"], numbers["plaus_world"], numbers["plaus_bbox"]
        )
    ]
    write_cache(tmp_path / "set.pkl", PoseDataset("set", joint_info, examples))
    return open_cache(tmp_path / "set.pkl").train.rows(0, len(examples)), joint_info


FILTERS = {
    "default": PlausibilityFilter(keeps_piano1=False, keeps_surreal=True),
    "piano1": PlausibilityFilter(keeps_surreal=True),
    "nosurreal": PlausibilityFilter(),
    "tonan": PlausibilityFilter(drops_joints=True),
}


def test_plausibility(numbers, judged):
    rows, joint_info = judged
    usual_lengths = numbers["plaus_train_bones_before"]
    assert_close(mean_bone_lengths(rows.dense_coords("world"), joint_info), usual_lengths)
    cases = [key[len("plaus_keep_") :] for key in numbers if key.startswith("plaus_keep_")]
    assert cases
    for case in cases:
        kept = FILTERS[case].filtered(rows, joint_info, usual_lengths)
        expected = rows.take(numbers[f"plaus_keep_{case}"])
        boxes = [block.records["bbox"].tolist() for block in (kept, expected)]
        assert boxes[0] == boxes[1], case
    kept = FILTERS["tonan"].filtered(rows, joint_info, usual_lengths)
    assert_close(kept.dense_coords("world"), numbers["plaus_tonan_coords"])
