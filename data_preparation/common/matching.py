"""Bringing annotated people and detected boxes together.

Boxes are [left, top, width, height] in pixels, detections [n, 5] with the confidence last.
"""

from __future__ import annotations

from typing import Optional

import numpy as np

from metrabs.geometry import boxes
from metrabs.geometry.assignment import assign


def joint_box(joints_px: np.ndarray, factor: float) -> np.ndarray:
    """Returns the float32 [4] box around the valid joints [J, 2], scaled about its centre."""
    return boxes.expand(boxes.bounding_box(joints_px), factor)


def union_with_best_detection(
    box: np.ndarray, detections: Optional[np.ndarray], min_iou: float = 0.5
) -> np.ndarray:
    """Returns a box enlarged by the most confident detection, if it is of the same person.

    The hull of both counts if its overlap (IoU) with the given box is more than `min_iou`;
    otherwise, or without detections, the box is returned as it is.
    """
    if detections is None or not len(detections):
        return box
    best = detections[np.argmax(detections[:, 4]), :4]
    hull = boxes.hull(box, best)
    return hull if boxes.iou(hull, box) > min_iou else box


def assign_boxes(
    people_boxes: np.ndarray, detections: np.ndarray, min_iou: float = 0.1
) -> list[tuple[int, int]]:
    """Assigns detections to people one to one, so that the sum of overlaps is the largest.

    Args:
        people_boxes: [p, 4].
        detections: [n, 4 or more].
        min_iou: pairs whose overlap is not more than this are dropped.

    Returns:
        Pairs (index of the person, index of the detection), by person.
    """
    overlaps = pairwise_iou(people_boxes, detections)
    return [pair for pair in assign(overlaps) if overlaps[pair] > min_iou]


def pairwise_iou(boxes_a: np.ndarray, boxes_b: np.ndarray) -> np.ndarray:
    """Returns the overlap [a, b] of each box of one list [a, 4+] with each of another [b, 4+]."""
    if not len(boxes_a) or not len(boxes_b):
        return np.zeros((len(boxes_a), len(boxes_b)))
    return boxes.iou(boxes_a[:, np.newaxis, :4], boxes_b[np.newaxis, :, :4])
