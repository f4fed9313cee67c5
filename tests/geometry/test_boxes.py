"""Box functions: numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry import boxes

BOX = [10, 20, 30, 40]


def test_centre_and_box_around_are_inverse():
    np.testing.assert_array_equal(boxes.center(BOX), [25, 40])
    np.testing.assert_array_equal(boxes.box_around([25, 40], [30, 40]), BOX)
    np.testing.assert_array_equal(boxes.box_around([25, 40], 10), [20, 35, 10, 10])


def test_expansion_keeps_the_centre():
    np.testing.assert_array_equal(boxes.expand(BOX, 2), [-5, 0, 60, 80])
    np.testing.assert_array_equal(boxes.expand_to_square(BOX), [5, 20, 40, 40])
    batch = np.array([BOX, [0, 0, 4, 2]], np.float32)
    np.testing.assert_array_equal(boxes.expand_to_square(batch)[1], [0, -1, 4, 4])


def test_intersection_union_and_overlap():
    other = [20, 50, 100, 100]
    np.testing.assert_array_equal(boxes.intersection(BOX, other), [20, 50, 20, 10])
    np.testing.assert_array_equal(boxes.union_box(BOX, other), [10, 20, 110, 130])
    assert boxes.area(BOX) == 1200
    assert boxes.iou(BOX, other) == pytest.approx(200 / (1200 + 10000 - 200))
    assert boxes.iou(BOX, BOX) == 1


def test_boxes_apart_have_an_empty_intersection():
    far = [100, 30, 10, 10]
    np.testing.assert_array_equal(boxes.intersection(BOX, far), [100, 30, 0, 10])
    assert boxes.iou(BOX, far) == 0 and boxes.iou(np.zeros(4), np.zeros(4)) == 0


def test_overlap_of_all_pairs():
    a = np.array([BOX, [0, 0, 1, 1]], np.float32)
    matrix = boxes.iou(a[:, np.newaxis], np.array([BOX, BOX, [0, 0, 1, 2]])[np.newaxis])
    np.testing.assert_allclose(matrix, [[1, 1, 0], [0, 0, 0.5]])


def test_a_box_contains_its_left_and_top_side_only():
    points = [[10, 20], [39.9, 59.9], [40, 30], [20, 60], [np.nan, 30]]
    np.testing.assert_array_equal(boxes.contains(BOX, points), [True, True, False, False, False])


def test_full_box_spans_the_image():
    np.testing.assert_array_equal(boxes.full((640, 480)), [0, 0, 640, 480])


def test_bounding_box_ignores_missing_points():
    np.testing.assert_array_equal(
        boxes.bounding_box([[1, 5], [np.nan, np.nan], [4, 2]]), [1, 2, 3, 3]
    )
    for points in (np.zeros((0, 2)), np.full((3, 2), np.nan)):
        np.testing.assert_array_equal(boxes.bounding_box(points), np.zeros(4))


def test_corners_and_midpoints():
    np.testing.assert_array_equal(boxes.corners(BOX), [[10, 20], [40, 20], [40, 60], [10, 60]])
    np.testing.assert_array_equal(
        boxes.side_midpoints(BOX), [[10, 40], [25, 20], [40, 40], [25, 60]]
    )
    np.testing.assert_array_equal(boxes.bounding_box(boxes.corners(BOX)), BOX)
    assert boxes.corners(np.zeros((3, 4))).shape == (3, 4, 2)
