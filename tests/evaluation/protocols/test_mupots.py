from __future__ import annotations

import numpy as np
import pytest

from metrabs.evaluation.protocols import mupots


def _people(poses2d, sequences=None, frames=None):
    n = len(poses2d)
    zeros = np.zeros(n, int)
    return mupots.People(
        zeros if sequences is None else np.array(sequences),
        zeros if frames is None else np.array(frames),
        np.zeros([n, 17, 3]),
        np.asarray(poses2d, float),
    )


def _pose2d(x):
    return np.stack([np.full(17, float(x)), np.arange(17) * 20 + 50.0], axis=-1)


def test_people_are_matched_to_the_nearest_free_prediction_of_their_frame():
    true = _people([_pose2d(100), _pose2d(130), _pose2d(100)], frames=[0, 0, 1])
    pred = _people([_pose2d(135), _pose2d(99), _pose2d(700)], frames=[0, 0, 1])
    of_true, of_pred = mupots.match_people(true, pred)
    # The first prediction is also close enough to the first person, and comes first.
    assert of_true.tolist() == [0, 1] and of_pred.tolist() == [0, 1]


def test_the_prediction_with_more_joints_wins():
    near = _pose2d(100)
    near[9:] += 500
    of_true, of_pred = mupots.match_people(_people([_pose2d(100)]), _people([near, _pose2d(110)]))
    assert of_pred.tolist() == [1]


def test_frames_without_predictions_have_no_matches():
    of_true, of_pred = mupots.match_people(_people([_pose2d(100)]), _people(np.zeros([0, 17, 2])))
    assert of_true.size == of_pred.size == 0


def test_joints_that_are_not_annotated_do_not_match():
    of_true, _ = mupots.match_people(_people(np.zeros([1, 17, 2])), _people([_pose2d(5)]))
    assert of_true.size == 0


def test_rescaled_bones_have_true_lengths_and_predicted_directions():
    rng = np.random.default_rng(0)
    pred, true = rng.normal(size=(2, 3, 17, 3))
    rescaled = mupots.rescale_bones(pred, true)
    np.testing.assert_array_equal(rescaled[:, 14], pred[:, 14])
    for child, parent in ((15, 14), (1, 15), (4, 3), (13, 12)):
        bone, before, of_truth = (p[:, child] - p[:, parent] for p in (rescaled, pred, true))
        np.testing.assert_allclose(*(np.linalg.norm(b, axis=-1) for b in (bone, of_truth)))
        cosine = np.sum(bone * before, axis=-1) / np.prod(
            [np.linalg.norm(b, axis=-1) for b in (bone, before)], axis=0
        )
        np.testing.assert_allclose(cosine, 1)


def test_people_who_were_not_found_count_as_wrong_among_all():
    poses = np.random.default_rng(0).normal(size=(3, 17, 3)) * 100
    numbers = mupots.numbers_per_sequence(poses, poses, np.array([0, 0, 2]), [4, 5, 1], True, True)
    np.testing.assert_allclose(numbers["pck_matched"][[0, 2]], 100)
    np.testing.assert_allclose(numbers["pck_all_anno"], [50, 0, 100, 50])
    assert np.isnan(numbers["mpjpe14"][1])
    assert numbers["mpjpe14"][0] == pytest.approx(0, abs=1e-9)
