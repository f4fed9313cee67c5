from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.config import LoadingConfig
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.data.storage.masks import encode_mask
from tests.data.conftest import JOINTS, random_example_3d

PLAIN = LoadingConfig(proc_side=64, occlude_aug_prob=0, background_aug_prob=0, color_aug=False)


def load(example, config=PLAIN, is_training=True, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    return load_example_3d(example, JOINTS, config, is_training, rng, **kwargs)


def world_from(output, joint_info):
    """Moves the 3D joints of an output back to the world, undoing the mirroring."""
    is_mirrored = np.linalg.det(output["rot_to_world"]) < 0
    coords = output["coords3d_true"] @ output["rot_to_world"].T + output["cam_loc"]
    return (coords[joint_info.mirror_mapping] if is_mirrored else coords), is_mirrored


def test_joints_can_be_moved_back_to_the_world_whatever_the_augmentation():
    example = random_example_3d(0, num_missing=0)
    mirrored = set()
    for seed in range(8):
        world, is_mirrored = world_from(load(example, seed=seed), JOINTS)
        mirrored.add(is_mirrored)
        assert np.abs(world - example.world_coords).max() < 0.01
    assert mirrored == {True, False}


def test_3d_and_2d_joints_agree_through_the_intrinsics():
    output = load(random_example_3d(1, num_missing=0))
    projected = output["coords3d_true"] @ output["intrinsics"].T
    assert np.allclose(projected[:, :2] / projected[:, 2:], output["coords2d_true"], atol=1e-3)


def test_rotation_to_the_original_camera_leads_to_its_frame():
    example = random_example_3d(2, num_missing=0)
    output = load(example, is_training=False)
    in_original = output["coords3d_true"] @ output["rot_to_orig_cam"].T
    assert np.abs(in_original - example.camera.world_to_camera(example.world_coords)).max() < 0.01


def test_missing_joints_are_zero_and_invalid():
    example = random_example_3d(3, num_missing=2)
    output = load(example, is_training=False)
    missing = np.isnan(example.world_coords).any(axis=1)
    assert np.array_equal(output["joint_validity_mask"], ~missing)
    assert not output["coords3d_true"][missing].any()
    assert (output["is_joint_in_fov"][missing] == 1).all()


def test_nothing_is_random_outside_training_unless_asked_for():
    example = random_example_3d(4)
    a, b = (load(example, LoadingConfig(proc_side=64), False, seed) for seed in (0, 1))
    assert np.array_equal(a["image"], b["image"])
    varied = LoadingConfig(proc_side=64, test_aug=True)
    assert not np.array_equal(a["image"], load(example, varied, False)["image"])


def test_test_time_augmentation_never_mirrors():
    config = dataclasses.replace(PLAIN, test_aug=True)
    for seed in range(10):
        output = load(random_example_3d(5), config, False, seed)
        assert np.linalg.det(output["rot_to_world"]) > 0


def test_the_same_generator_gives_the_same_input_and_the_example_stays_as_it_was():
    example = random_example_3d(6)
    coords, box, image = (x.copy() for x in (example.world_coords, example.bbox, example.image))
    config = LoadingConfig(proc_side=64)
    a, b = load(example, config), load(example, config)
    assert all(np.array_equal(a[key], b[key]) for key in a)
    assert np.array_equal(example.world_coords, coords, equal_nan=True)
    assert np.array_equal(example.bbox, box) and np.array_equal(example.image, image)


@pytest.mark.parametrize(
    "change", [{"color_aug": True}, {"occlude_aug_prob": 1.0}, {"background_aug_prob": 1.0}]
)
def test_switching_an_appearance_effect_on_leaves_the_geometry_alone(change):
    example = dataclasses.replace(
        random_example_3d(7), mask=encode_mask(np.tri(120, 160, dtype=np.uint8))
    )
    plain, changed = load(example), load(example, dataclasses.replace(PLAIN, **change))
    assert np.array_equal(plain["coords3d_true"], changed["coords3d_true"])
    assert not np.array_equal(plain["image"], changed["image"])


def test_universal_skeletons_are_targets_only_where_they_exist():
    example = random_example_3d(8, num_missing=0)
    with_universal = dataclasses.replace(example, univ_coords=example.world_coords * 1.1)
    config = dataclasses.replace(PLAIN, universal_skeleton=True)
    metric, universal = load(example, config), load(with_universal, config)
    assert not np.allclose(metric["coords3d_true"], universal["coords3d_true"])
    assert np.array_equal(metric["coords2d_true"], universal["coords2d_true"])


def test_far_worlds_do_not_cost_precision():
    example = random_example_3d(9, num_missing=0)
    offset = np.array([3e7, -2e7, 1e5])
    camera = example.camera.copy()
    camera.t = camera.t + offset
    far = dataclasses.replace(example, world_coords=example.world_coords + offset, camera=camera)
    near_output, far_output = load(example), load(far)
    assert np.abs(near_output["coords3d_true"] - far_output["coords3d_true"]).max() < 1e-2
    assert np.array_equal(far_output["image"], near_output["image"])


def test_partial_views_are_forced_for_h36m_in_some_merged_sets_only():
    example = random_example_3d(10, "h36m")
    focal = {
        name: [
            load(example, seed=seed, dataset_name=name)["intrinsics"][0, 0] for seed in range(12)
        ]
        for name in ("many2", "huge8", "")
    }
    assert focal["huge8"] == focal[""]
    assert 0 < np.sum(np.array(focal["many2"]) != focal[""]) < 12


FOLDERS = [
    "h36m_like",
    "sailvos",
    "agora_down",
    "spec-syn",
    "hspace",
    "panoptic_mine",
    "3dhp/TS1",
    "mupots/TS1",
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_of_folders_do_not_change_the_augmentation(folder):
    config = LoadingConfig(proc_side=64)
    mask = encode_mask(np.tri(120, 160, dtype=np.uint8))
    neutral = dataclasses.replace(random_example_3d(11, "mine"), mask=mask)
    renamed = dataclasses.replace(neutral, image_path=f"{folder}/11.jpg")
    for seed in range(6):
        a, b = (load(e, config, seed=seed, dataset_name="many") for e in (neutral, renamed))
        assert all(np.array_equal(a[key], b[key]) for key in a if key != "image_path")


def test_worlds_too_large_for_single_precision_have_no_camera_position():
    assert load(random_example_3d(12))["cam_loc"].any()
    assert not load(random_example_3d(12, "sailvos"))["cam_loc"].any()
