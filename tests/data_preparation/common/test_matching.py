from __future__ import annotations

import numpy as np
import pytest

from data_preparation.common.matching import (
    assign_boxes,
    assign_poses,
    detected_boxes,
    joint_box,
    pairwise_iou,
    union_with_best_detection,
)

BOX = np.array([10, 10, 20, 40], np.float32)


def test_the_box_of_joints_leaves_out_missing_ones():
    joints = np.array([[10, 20], [np.nan, np.nan], [30, 60]])
    np.testing.assert_allclose(joint_box(joints, 1.5), [5, 10, 30, 60])


def test_the_union_takes_the_most_confident_detection():
    detections = np.array([[0, 0, 5, 5, 0.4], [8, 12, 20, 42, 0.9]], np.float32)
    np.testing.assert_allclose(union_with_best_detection(BOX, detections), [8, 10, 22, 44])


@pytest.mark.parametrize(
    "detections", [None, np.zeros((0, 5)), np.array([[200, 10, 20, 40, 0.9]])]
)
def test_without_a_detection_of_the_person_the_box_stays(detections):
    np.testing.assert_array_equal(union_with_best_detection(BOX, detections), BOX)


def test_the_union_must_overlap_by_more_than_the_limit():
    twice_as_high = np.array([[10, 10, 20, 80, 0.9]])  # overlap exactly one half
    np.testing.assert_array_equal(union_with_best_detection(BOX, twice_as_high), BOX)
    assert union_with_best_detection(BOX, twice_as_high, min_iou=0.49)[3] == 80


def test_assignment_maximises_the_sum_of_overlaps():
    people = np.array([[0, 0, 10, 10], [4, 0, 10, 10]], float)
    # The first detection fits both people best, but the second one fits person 1 only.
    detections = np.array([[3, 0, 10, 10, 0.9], [6, 0, 10, 10, 0.8]])
    assert assign_boxes(people, detections) == [(0, 0), (1, 1)]


def test_pairs_that_hardly_overlap_are_dropped():
    people = np.array([[0, 0, 10, 10], [100, 0, 10, 10]], float)
    detections = np.array([[9.5, 0, 10, 10, 0.9], [101, 0, 10, 10, 0.8]])
    assert assign_boxes(people, detections) == [(1, 1)]
    assert assign_boxes(people, np.zeros((0, 5))) == []
    assert assign_boxes(np.zeros((0, 4)), detections) == []


def test_overlaps_of_all_pairs():
    a, b = np.array([[0, 0, 2, 2]]), np.array([[0, 0, 2, 2, 0.5], [1, 0, 2, 2, 0.5]])
    np.testing.assert_allclose(pairwise_iou(a, b), [[1, 1 / 3]])


def test_detected_boxes_are_those_of_the_assigned_detections():
    people = [np.array([0, 0, 10, 10.0]), np.array([50, 0, 10, 10.0]), np.array([90, 0, 9, 9.0])]
    detections = np.array([[48, 0, 20, 15, 0.9], [1, 0, 10, 10, 0.8]])
    found = detected_boxes(people, detections)
    np.testing.assert_array_equal(found[0], detections[1, :4])
    np.testing.assert_array_equal(found[1], detections[0, :4])
    assert found[2] is None
    assert detected_boxes(people, detections, max_area_ratio=2)[1] is None
    assert detected_boxes(people, np.zeros((0, 5))) == [None] * 3
    assert detected_boxes([], detections) == []


def test_people_are_found_again_in_the_next_frame():
    poses = np.array([0, 500, 1000])[:, np.newaxis, np.newaxis] + np.zeros((3, 4, 3))
    poses[1, 0] = np.nan
    assert assign_poses(poses, poses[[2, 0]] + 30) == [(0, 1), (2, 0)]
    assert assign_poses(poses, poses[[2, 0]] + 300, max_distance=200) == []
    assert assign_poses(poses, poses[:0]) == assign_poses(poses[:0], poses) == []


def test_people_are_assigned_so_that_all_move_little():
    earlier, later = np.zeros((2, 1, 3)), np.zeros((2, 1, 3))
    earlier[:, 0, 0], later[:, 0, 0] = (0, 100), (90, 210)
    # The closest pair is (1, 0), but it would leave a distance of 210 for the others.
    assert assign_poses(earlier, later) == [(0, 0), (1, 1)]


def test_people_without_common_joints_are_not_assigned():
    earlier, later = np.zeros((2, 2, 3)), np.zeros((2, 2, 3))
    earlier[0, 0] = later[0, 1] = np.nan  # no joint in common
    earlier[1] += 5000
    later[1] += 4000
    assert assign_poses(earlier[:1], later[:1]) == []
    assert assign_poses(earlier, later) == [(0, 1), (1, 0)]  # as many people as possible
