from __future__ import annotations

import numpy as np

from data_preparation.common.crowd_sampling import CrowdPoseSampler

NEAR, FAR = np.zeros((5, 3)), np.full((5, 3), 3000.0)


def moved(pose, *joints):
    changed = pose.copy()
    changed[list(joints), 1] += 100
    return changed


def decisions(sampler, *frames):
    return [sampler.have_moved(np.array(frame)).tolist() for frame in frames]


def test_people_are_found_again_in_any_order():
    sampler = CrowdPoseSampler(100)
    assert decisions(sampler, [NEAR, FAR], [FAR, NEAR], [FAR, moved(NEAR, 2)]) == [
        [True, True],
        [False, False],
        [False, True],
    ]


def test_movement_is_measured_from_the_last_pose_that_moved():
    sampler = CrowdPoseSampler(100)
    walk = [[NEAR + offset] for offset in (0, 40, 80, 120)]  # 57.7 mm is 100 mm in space
    assert decisions(sampler, *walk) == [[True], [False], [True], [False]]


def test_enough_joints_must_move():
    sampler = CrowdPoseSampler(100, min_joints=3)
    assert decisions(sampler, [NEAR], [moved(NEAR, 0, 1)], [moved(NEAR, 0, 1, 4)]) == [
        [True],
        [False],
        [True],
    ]


def test_missing_joints_do_not_count_as_moved():
    partial = NEAR.copy()
    partial[2:] = np.nan
    assert decisions(CrowdPoseSampler(100), [NEAR], [partial]) == [[True], [False]]


def test_new_people_count_and_absent_ones_are_remembered():
    sampler = CrowdPoseSampler(100)
    nobody = np.zeros((0, 5, 3))
    assert decisions(sampler, nobody, [NEAR], nobody, [NEAR, FAR], [FAR], [NEAR]) == [
        [],
        [True],
        [],
        [False, True],
        [False],
        [False],
    ]
