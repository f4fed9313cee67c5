from __future__ import annotations

import numpy as np
import pytest

from metrabs.acae.poses import batch_indices, checked_poses, drop_invalid_poses, train_test_split
from metrabs.errors import UserError


def make_poses(num_poses):
    return np.random.default_rng(0).uniform(1000, 2000, (num_poses, 4, 3)).astype(np.float32)


def test_invalid_poses_are_dropped():
    good, bad = make_poses(6), make_poses(3)
    bad[0, 0, 0], bad[1, 3, 2], bad[2, 2, 1] = np.nan, -10, np.inf
    mixed = np.concatenate([bad[:2], good, bad[2:]])
    assert np.array_equal(drop_invalid_poses(mixed, "training"), good)
    assert drop_invalid_poses(good, "training") is good


@pytest.mark.parametrize("num_poses", [0, 5])
def test_having_no_usable_pose_is_explained(num_poses):
    with pytest.raises(UserError, match=f"None of the {num_poses} test poses"):
        drop_invalid_poses(np.zeros([num_poses, 4, 3]), "test")


def test_a_wrong_shape_is_explained():
    with pytest.raises(UserError, match=r"4 joints must have shape \[n, 4, 3\], not \[5, 3, 3\]"):
        checked_poses(np.zeros([5, 3, 3]), list("abcd"))


def test_test_poses_are_a_random_fraction_determined_by_the_seed():
    poses = np.arange(100)
    train, test = train_test_split(poses, test_fraction=0.05, seed=0)
    assert len(test) == 5
    assert sorted([*train, *test]) == list(range(100))
    assert np.array_equal(test, train_test_split(poses, 0.05, seed=0)[1])
    assert not np.array_equal(test, train_test_split(poses, 0.05, seed=1)[1])


def test_every_pose_is_used_once_per_pass():
    indices = batch_indices(num_poses=50, batch_size=8, start_step=0, num_steps=25, seed=3)
    passes = indices.reshape(4, 50)
    assert all(sorted(one) == list(range(50)) for one in passes)
    assert not np.array_equal(passes[0], passes[1])


def test_batches_depend_on_the_step_only():
    whole = batch_indices(num_poses=7, batch_size=4, start_step=0, num_steps=30, seed=3)
    part = batch_indices(num_poses=7, batch_size=4, start_step=11, num_steps=9, seed=3)
    assert np.array_equal(part, whole[11:20])
