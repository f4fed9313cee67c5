"""Matching annotated people to detections, and people from frame to frame.

Boxes are [left, top, width, height] in pixels, detections `[n, 5]` with the confidence last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from metrabs.geometry import boxes
from metrabs.geometry.assignment import assign


def joint_box(joints_px: np.ndarray, factor: float) -> np.ndarray:
    """Returns the float32 `[4]` box around the valid joints `[J, 2]`, scaled about its centre."""
    return boxes.expand(boxes.bounding_box(joints_px), factor)


def union_with_best_detection(
    box: np.ndarray, detections: Optional[np.ndarray], min_iou: float = 0.5
) -> np.ndarray:
    """Returns a box enlarged by the most confident detection, if it is of the same person.

    The union box of both is returned if its overlap (IoU) with the given box is more than
    `min_iou`; otherwise, or without detections, the box is returned unchanged.
    """
    if detections is None or not len(detections):
        return box
    best = detections[np.argmax(detections[:, 4]), :4]
    union = boxes.union_box(box, best)
    return union if boxes.iou(union, box) > min_iou else box


def assign_boxes(
    people_boxes: np.ndarray, detections: np.ndarray, min_iou: float = 0.1
) -> list[tuple[int, int]]:
    """Assigns detections to people one to one, so that the sum of overlaps is the largest.

    Args:
        people_boxes: `[p, 4]`.
        detections: `[n, 4 or more]`.
        min_iou: Overlap (IoU) that a pair must exceed.

    Returns:
        Pairs (index of the person, index of the detection), sorted by person.
    """
    overlaps = pairwise_iou(people_boxes, detections)
    return [pair for pair in assign(overlaps) if overlaps[pair] > min_iou]


def detected_boxes(
    people_boxes: Sequence[np.ndarray],
    detections: np.ndarray,
    min_iou: float = 0.1,
    max_area_ratio: float = np.inf,
) -> list[Optional[np.ndarray]]:
    """Returns for each person the box of the assigned detection, or None.

    Args:
        people_boxes: `[p, 4]`.
        detections: `[n, 4 or more]`.
        min_iou: Overlap (IoU) that the boxes must exceed.
        max_area_ratio: The detection must be smaller than the person's box by this factor.
    """
    found: list[Optional[np.ndarray]] = [None] * len(people_boxes)
    for person, detection in assign_boxes(np.asarray(people_boxes), detections, min_iou):
        box = detections[detection, :4]
        if boxes.area(box) < max_area_ratio * boxes.area(people_boxes[person]):
            found[person] = box
    return found


def assign_poses(
    earlier: np.ndarray, later: np.ndarray, max_distance: float = np.inf
) -> list[tuple[int, int]]:
    """Assigns the people of two frames one to one, so that they move as little as possible.

    Args:
        earlier: Poses `[p, J, 2 or 3]`, NaN for missing joints.
        later: Poses `[q, J, 2 or 3]`.
        max_distance: The largest mean distance of the joints of a pair; pairs without a common
            joint are never made.

    Returns:
        Pairs (index of the earlier pose, index of the later pose), sorted by the earlier one.
    """
    if not len(earlier) or not len(later):
        return []
    distances = np.linalg.norm(earlier[:, np.newaxis] - later[np.newaxis], axis=-1)
    num_common = np.sum(~np.isnan(distances), axis=-1)
    means = np.nansum(distances, axis=-1) / np.maximum(num_common, 1)
    is_possible = (num_common > 0) & (means <= max_distance)
    # Impossible pairs must never pay off, even where they let other pairs be closer.
    cost_of_impossible = (np.max(means, where=is_possible, initial=0) + 1) * means.size
    scores = np.where(is_possible, cost_of_impossible - means, 0)
    return [pair for pair in assign(scores) if is_possible[pair]]


def pairwise_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Returns the overlaps (IoU) `[a, b]` of the boxes `[a, 4+]` with the boxes `[b, 4+]`."""
    if not len(boxes_a) or not len(boxes_b):
        return np.zeros((len(boxes_a), len(boxes_b)))
    return boxes.iou(boxes_a[:, np.newaxis, :4], boxes_b[np.newaxis, :, :4])
