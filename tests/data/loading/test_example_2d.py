from __future__ import annotations

import dataclasses

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.loading.example_2d import load_example_2d
from tests.data.conftest import JOINTS, random_camera, random_example_2d

PLAIN = LoadingConfig(proc_side=64, occlude_aug_prob_2d=0, background_aug_prob=0, color_aug=False)


def load(example, config=PLAIN, is_training=True, seed=0):
    return load_example_2d(example, JOINTS, config, is_training, np.random.default_rng(seed))


def test_without_training_the_crop_is_the_box_scaled_to_the_side():
    example = random_example_2d(0)
    output = load(example, is_training=False)
    left, top, width, height = example.bbox
    scale = 64 / max(width, height)
    expected = (example.coords - (left + width / 2, top + height / 2)) * scale + 31.5
    valid = output["joint_validity_mask_2d"]
    assert np.abs(output["coords2d_true_2d"][valid] - expected[valid]).max() < 1e-2


def test_a_joint_follows_its_pixel_through_the_augmentation():
    example = random_example_2d(1)
    image = np.zeros((120, 160, 3), np.uint8)
    image[50:61, 60:71] = 255
    coords = np.tile(np.float32([65, 55]), (6, 1))
    example = dataclasses.replace(example, image=image, coords=coords)
    for seed in range(6):
        output = load(example, seed=seed)
        rows, columns = np.nonzero(output["image_2d"][..., 0] > 127)
        center = np.array([columns.mean(), rows.mean()])
        assert np.abs(center - output["coords2d_true_2d"][0]).max() < 0.3


def test_a_calibrated_example_is_cropped_by_its_camera():
    example = random_example_2d(2)
    calibrated = dataclasses.replace(example, camera=random_camera(np.random.default_rng(0)))
    plain, turned = load(example, is_training=False), load(calibrated, is_training=False)
    assert not np.allclose(plain["intrinsics_2d"], turned["intrinsics_2d"])
    valid = plain["joint_validity_mask_2d"]
    difference = plain["coords2d_true_2d"][valid] - turned["coords2d_true_2d"][valid]
    assert 0 < np.abs(difference).max() < 10


def test_joints_at_the_lower_image_border_are_dropped_without_touching_the_example():
    example = random_example_2d(3)
    example.coords[2] = (50, 0.951 * 120)
    example.coords[3] = (50, 0.949 * 120)
    output = load(example, is_training=False)
    assert output["joint_validity_mask_2d"].tolist() == [False, True, False, True, True, True]
    assert not np.isnan(example.coords[2]).any()


def test_mirroring_swaps_left_and_right():
    example = random_example_2d(4)
    outputs = [load(example, seed=seed) for seed in range(20)]
    example.coords[1] = np.nan  # the left hip
    validity = {tuple(load(example, seed=seed)["joint_validity_mask_2d"]) for seed in range(20)}
    assert len(outputs) == 20
    assert validity == {
        (False, False, True, True, True, True),
        (False, True, False, True, True, True),
    }


def test_nothing_is_random_outside_training_unless_asked_for():
    example = random_example_2d(5)
    config = LoadingConfig(proc_side=64)
    a, b = (load(example, config, False, seed) for seed in (0, 1))
    assert np.array_equal(a["image_2d"], b["image_2d"])
    varied = dataclasses.replace(config, test_aug=True)
    assert not np.array_equal(load(example, varied, False)["image_2d"], a["image_2d"])
