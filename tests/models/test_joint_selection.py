from __future__ import annotations

import logging

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.models.joint_selection import match_2d_joints, skeleton_indices

NAMES = ["lwri", "rwri", "lwri_coco", "rwri_coco", "pelv", "lwri_h36m", "rwri_h36m"]


def test_joints_with_the_skeletons_suffix_are_preferred():
    assert skeleton_indices(NAMES, ["pelv", "lwri"], "coco") == [4, 2]
    assert skeleton_indices(NAMES, ["pelv", "lwri"], "h36m") == [4, 5]
    assert skeleton_indices(NAMES, ["lwri", "rwri"], "3dhp") == [0, 1]


def test_no_skeleton_means_all_joints_in_order():
    assert skeleton_indices(NAMES, [], "") == list(range(7))


def test_missing_joints_are_named():
    with pytest.raises(UserError, match="no joints for nose of skeleton 'coco'"):
        skeleton_indices(NAMES, ["pelv", "nose"], "coco")


def test_2d_joints_are_averages_of_all_joints_that_start_with_their_name():
    match = match_2d_joints(NAMES, ["pelv", "lwri"])
    coords = tf.reshape(tf.range(21.0), [1, 7, 3])
    expected = [[12, 13], [(0 + 6 + 15) / 3, (1 + 7 + 16) / 3]]
    np.testing.assert_allclose(match.average(coords)[0], expected, rtol=1e-6)


def test_2d_joints_without_partner_are_dropped_and_that_is_logged_once(caplog):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            match = match_2d_joints(NAMES, ["nose", "pelv", "lank", "rwri"])
    assert match.kept_indices == (1, 3) and match.weights.shape == (7, 2)
    assert len(caplog.records) == 1 and "nose, lank" in caplog.text


def test_a_2d_dataset_without_any_partner_is_an_error():
    with pytest.raises(UserError, match=r"None of the 2D joints \(nose\)"):
        match_2d_joints(NAMES, ["nose"])
