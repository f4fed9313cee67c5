"""3DPW: scores for associating predicted people with annotated ones, frame by frame.

Scores compare predictions with the given 2D poses of annotated people or, as published, with masks
of tracked people, which need no annotation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import cv2
import numpy as np

# lsho, rsho, lelb, relb, lhip, rhip, lkne, rkne among SMPL's 24 joints (pelvis first) and among
# the 18 of the given 2D poses.
_SMPL_JOINTS = [16, 17, 18, 19, 1, 2, 4, 5]
_GIVEN_JOINTS = [5, 2, 6, 3, 11, 8, 12, 9]
_LEFT_HIP, _RIGHT_HIP, _LEFT_SHOULDER, _RIGHT_SHOULDER = 1, 2, 16, 17
_MIN_CONFIDENCE = 0.2
_MIN_JOINTS = 5
_LINE_THICKNESS_PX = 8


def scores_by_joints(
    given_px: np.ndarray, previous_px: Sequence[Optional[np.ndarray]], predicted_px: np.ndarray
) -> np.ndarray:
    """Scores how well shoulders, elbows, hips and knees of predictions match annotated people.

    Args:
        given_px: Given 2D poses of the annotated people `[n, 18, 3]`, x, y and confidence.
        previous_px: Last predicted 2D pose `[24, 2]` of each of them, or None. It is used instead
            where fewer than five joints are confident.
        predicted_px: Predicted 2D poses `[m, 24, 2]`.

    Returns:
        `[n, m]`, the mean over joints of max(0, 1 - distance / size of the predicted torso).
    """
    scores = np.zeros([len(given_px), len(predicted_px)])
    predicted = predicted_px[:, _SMPL_JOINTS]
    size = np.linalg.norm(predicted_px[:, _RIGHT_SHOULDER] - predicted_px[:, _LEFT_HIP], axis=-1)
    for i, (given, previous) in enumerate(zip(given_px, previous_px)):
        reference = given[_GIVEN_JOINTS, :2]
        is_known = given[_GIVEN_JOINTS, 2] >= _MIN_CONFIDENCE
        if is_known.sum() < _MIN_JOINTS:
            if previous is None:
                continue
            reference, is_known = previous[_SMPL_JOINTS], np.ones(len(_SMPL_JOINTS), bool)
        distance = np.linalg.norm(predicted - reference, axis=-1)[:, is_known]
        with np.errstate(divide="ignore", invalid="ignore"):  # a pose without extent scores NaN
            scores[i] = np.maximum(0, 1 - distance / size[:, np.newaxis]).mean(axis=1)
    return scores


def scores_by_masks(
    masks: Sequence[np.ndarray],
    predicted_px: np.ndarray,
    image_size_wh: tuple[int, int],
    edges: Sequence[tuple[int, int]],
) -> np.ndarray:
    """Scores how well masks of tracked people match drawn predictions.

    Args:
        masks: Mask of each person `[h, w]`, non-zero inside; may be smaller than the image.
        predicted_px: Predicted 2D poses `[m, 24, 2]` in the image.
        image_size_wh: Width and height of the image.
        edges: Bones to draw.

    Returns:
        `[n, m]`, intersection over union.
    """
    scores = np.zeros([len(masks), len(predicted_px)])
    for i, mask in enumerate(masks):
        scale = np.array(mask.shape[::-1]) / image_size_wh
        is_person = mask > 0
        for j, pose_px in enumerate(predicted_px):
            is_drawn = _drawn(pose_px * scale, mask.shape, edges)
            union = np.sum(is_person | is_drawn)
            scores[i, j] = np.sum(is_person & is_drawn) / union if union else 0
    return scores


def _drawn(
    pose_px: np.ndarray, shape_hw: tuple[int, ...], edges: Sequence[tuple[int, int]]
) -> np.ndarray:
    canvas = np.zeros(shape_hw, np.uint8)
    points = np.round(np.clip(pose_px, -10000, 10000)).astype(int)
    for i, j in edges:
        cv2.line(canvas, points[i].tolist(), points[j].tolist(), (1,), _LINE_THICKNESS_PX)
    torso = points[[_LEFT_HIP, _RIGHT_HIP, _RIGHT_SHOULDER, _LEFT_SHOULDER]]
    cv2.fillConvexPoly(canvas, torso.astype(np.int32), (1,))
    return canvas > 0
