"""Bounding boxes [x, y, width, height] in pixels (NumPy).

Functions take one box [4] or any leading shape [..., 4], unless they say otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def center(boxes: Any) -> np.ndarray:
    """Returns the centres [..., 2]."""
    boxes = _as_float(boxes)
    return boxes[..., :2] + boxes[..., 2:] / 2


def box_around(center_point: Any, size: Any) -> np.ndarray:
    """Returns the box with the given centre [..., 2] and size (a number or [..., 2])."""
    center_point = _as_float(center_point)
    size = np.broadcast_to(np.asarray(size, center_point.dtype), center_point.shape)
    return np.concatenate([center_point - size / 2, size], axis=-1)


def expand(boxes: Any, factor: Any) -> np.ndarray:
    """Scales width and height by a factor (a number or [..., 2]) about the centre."""
    return box_around(center(boxes), _as_float(boxes)[..., 2:] * factor)


def expand_to_square(boxes: Any) -> np.ndarray:
    """Enlarges the shorter side to the length of the longer one, about the centre."""
    return box_around(center(boxes), np.max(_as_float(boxes)[..., 2:], axis=-1, keepdims=True))


def intersection(boxes_a: Any, boxes_b: Any) -> np.ndarray:
    """Returns the common part; its size is 0 along an axis on which the boxes do not meet."""
    a, b = _as_float(boxes_a), _as_float(boxes_b)
    top_left = np.maximum(a[..., :2], b[..., :2])
    bottom_right = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    return np.concatenate([top_left, np.maximum(bottom_right - top_left, 0)], axis=-1)


def union_box(boxes_a: Any, boxes_b: Any) -> np.ndarray:
    """Returns the smallest box that holds both boxes."""
    a, b = _as_float(boxes_a), _as_float(boxes_b)
    top_left = np.minimum(a[..., :2], b[..., :2])
    bottom_right = np.maximum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    return np.concatenate([top_left, bottom_right - top_left], axis=-1)


def area(boxes: Any) -> np.ndarray:
    """Returns width times height, [...]."""
    return np.prod(_as_float(boxes)[..., 2:], axis=-1)


def iou(boxes_a: Any, boxes_b: Any) -> np.ndarray:
    """Returns the intersection over union, broadcast over the leading shapes.

    All pairs of two lists: `iou(boxes_a[:, np.newaxis], boxes_b[np.newaxis])`. Two boxes without
    area have 0.
    """
    common = area(intersection(boxes_a, boxes_b))
    union = area(boxes_a) + area(boxes_b) - common
    return common / np.where(union == 0, 1, union)


def contains(boxes: Any, points: Any) -> np.ndarray:
    """Returns which points [..., 2] lie in the half-open box; a NaN point does not."""
    boxes, points = _as_float(boxes), _as_float(points)
    top_left, bottom_right = boxes[..., :2], boxes[..., :2] + boxes[..., 2:]
    return np.all((top_left <= points) & (points < bottom_right), axis=-1)


def full(imsize_wh: Any) -> np.ndarray:
    """Returns the box of a whole image of size (width, height), [0, 0, width, height]."""
    return np.array([0, 0, imsize_wh[0], imsize_wh[1]], np.float32)


def bounding_box(points: Any) -> np.ndarray:
    """Returns the float32 box around points [n, 2]; NaN is ignored, without points it is zeros."""
    points = np.asarray(points, np.float32)
    if np.isnan(points).all(axis=0).any():
        return np.zeros(4, np.float32)
    top_left = np.nanmin(points, axis=0)
    return np.concatenate([top_left, np.nanmax(points, axis=0) - top_left])


def corners(boxes: Any) -> np.ndarray:
    """Returns [..., 4, 2] float32 corners: top left, top right, bottom right, bottom left."""
    return _points_at(boxes, [(0, 0), (1, 0), (1, 1), (0, 1)])


def side_midpoints(boxes: Any) -> np.ndarray:
    """Returns [..., 4, 2] float32 midpoints of the left, top, right and bottom side."""
    return _points_at(boxes, [(0, 0.5), (0.5, 0), (1, 0.5), (0.5, 1)])


def _points_at(boxes: Any, fractions: list[tuple[float, float]]) -> np.ndarray:
    boxes = np.asarray(boxes, np.float32)[..., np.newaxis, :]
    return boxes[..., :2] + boxes[..., 2:] * np.array(fractions, np.float32)


def _as_float(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array if np.issubdtype(array.dtype, np.floating) else array.astype(np.float32)
