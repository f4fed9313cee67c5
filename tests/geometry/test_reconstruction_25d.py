from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.geometry.projection import project_pose
from metrabs.geometry.reconstruction_25d import depth_by_bone_lengths, reconstruct_by_bone_lengths
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close

BONES = [(0, 1), (1, 2), (3, 1)]
VIEW = dict(proc_side=256, stride=32, centered_stride=True)
INTRINSICS = np.float32([[[500, 0, 128], [0, 500, 128], [0, 0, 1]]])


def poses(num: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    relative = rng.normal(0, 250, [num, 5, 3])
    return np.float32(relative + [0, 0, 1] * rng.uniform(3000, 6000, [num, 1, 1]))


def lengths_of(pose: np.ndarray) -> np.ndarray:
    return np.float32([np.linalg.norm(pose[i] - pose[j]) for i, j in BONES])


def reconstruct(pose: np.ndarray, lengths: np.ndarray, **settings) -> tf.Tensor:
    coords2d = project_pose(pose[np.newaxis], INTRINSICS)
    return reconstruct_by_bone_lengths(
        coords2d, pose[np.newaxis, :, 2] + 77, INTRINSICS, BONES, lengths, **VIEW, **settings
    )[0]


@pytest.mark.parametrize("center_is_mean", [True, False])
def test_true_bone_lengths_give_the_true_pose(center_is_mean):
    for pose in poses():
        actual = reconstruct(pose, lengths_of(pose), center_is_mean=center_is_mean)
        assert_close(actual, pose, rtol=1e-3)


def test_unknown_bones_do_not_matter():
    pose = poses()[0]
    lengths = lengths_of(pose)
    lengths[1] = 0
    assert_close(reconstruct(pose, lengths), pose, rtol=1e-3)


def test_longer_bones_mean_a_greater_distance():
    pose = poses()[0]
    far = reconstruct(pose, 1.5 * lengths_of(pose)).numpy()
    assert far[:, 2].mean() > pose[:, 2].mean() * 1.2


def test_bones_that_leave_the_field_of_view_hardly_count():
    pose = poses()[0]
    pose[3, 0] = 3000  # far outside of the crop, which bone (3, 1) connects
    lengths = lengths_of(pose)
    lengths[2] *= 3
    assert_close(reconstruct(pose, lengths), pose, rtol=1e-3)
    spoiled = reconstruct(pose, lengths, only_inside_fov=False).numpy()
    assert np.abs(spoiled - pose).max() > 100


@in_all_run_modes
def test_people_do_not_influence_each_other(wrap):
    batch = poses()
    rays = batch[..., :2] / batch[..., 2:]
    delta_z = batch[..., 2] - batch[..., 2].mean(axis=1, keepdims=True)
    lengths = np.stack([lengths_of(pose) for pose in batch]) * 1.1
    start = np.full(len(batch), 50, np.float32)  # so near that some steps are refused

    @wrap
    def depths(rays, delta_z, lengths, start):
        return depth_by_bone_lengths(rays, delta_z, BONES, lengths, tf.ones_like(lengths), start)

    together = depths(rays, delta_z, lengths, start)
    for i in range(len(batch)):
        one = slice(i, i + 1)
        assert_close(together[one], depths(rays[one], delta_z[one], lengths[one], start[one]))


def test_a_person_without_any_known_bone_stays_finite():
    pose = poses()[0]
    assert np.isfinite(reconstruct(pose, np.zeros(3, np.float32))).all()
