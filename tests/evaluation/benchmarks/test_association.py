from __future__ import annotations

import numpy as np
import pytest

from metrabs.evaluation.benchmarks import association


def _pose_px(x: float) -> np.ndarray:
    """A standing person [24, 2] about 100 px tall."""
    pose = np.random.default_rng(0).uniform(-15, 15, [24, 2]) + [x, 100]
    pose[[16, 17]] = [[x + 12, 60], [x - 12, 60]]
    pose[[1, 2]] = [[x + 8, 100], [x - 8, 100]]
    return pose


def _given_px(pose_px: np.ndarray, confidence: float = 1.0) -> np.ndarray:
    given = np.zeros([18, 3])
    given[association._GIVEN_JOINTS, :2] = pose_px[association._SMPL_JOINTS]
    given[association._GIVEN_JOINTS, 2] = confidence
    return given


def test_people_match_their_own_given_joints():
    poses = np.stack([_pose_px(50), _pose_px(120)])
    given = np.stack([_given_px(pose) for pose in poses[::-1]])
    scores = association.scores_by_joints(given, [None, None], poses)
    np.testing.assert_allclose(scores, [[0, 1], [1, 0]], atol=1e-9)


def test_the_previous_pose_replaces_joints_without_confidence():
    pose = _pose_px(50)
    unsure = _given_px(pose, confidence=0.1)[np.newaxis]
    assert association.scores_by_joints(unsure, [None], pose[np.newaxis]) == [[0]]
    shifted = association.scores_by_joints(unsure, [pose + 4], pose[np.newaxis])
    size = np.linalg.norm(pose[17] - pose[1])
    np.testing.assert_allclose(shifted, 1 - np.hypot(4, 4) / size)


def test_a_prediction_without_extent_has_no_score():
    given = _given_px(_pose_px(50))[np.newaxis]
    scores = association.scores_by_joints(given, [None], np.zeros([1, 24, 2]))
    assert not np.nan_to_num(scores).any()


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_masks_may_be_smaller_than_the_image(scale):
    poses = np.stack([_pose_px(60), _pose_px(200)])
    edges = [(1, 16), (2, 17)]
    masks = []
    for pose in poses:
        mask = np.zeros([int(200 * scale), int(300 * scale)], np.uint8)
        left, top = (pose[[1, 2, 16, 17]].min(axis=0) * scale).astype(int)
        right, bottom = (pose[[1, 2, 16, 17]].max(axis=0) * scale).astype(int)
        mask[top:bottom, left:right] = 1
        masks.append(mask)
    scores = association.scores_by_masks(masks, poses, (300, 200), edges)
    assert scores[0, 1] == scores[1, 0] == 0
    assert (np.diag(scores) > 0.4).all()
