from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.errors import UserError
from metrabs.evaluation.consistency import format_consistency, group_joints
from metrabs.skeletons.tables import base_name
from tests.golden.tolerances import assert_close

NAMES = ["lelb", "relb", "neck_coco", "lelb_h36m", "relb_h36m", "lelb_3dhp", "pelv"]
GROUPS = {"lelb": [0, 3, 5], "relb": [1, 4]}


def make_truth(num_images=4):
    rng = np.random.default_rng(0)
    return rng.uniform(-500, 500, (num_images, 7, 3)) + [0, 0, 4000]


def test_joints_are_grouped_by_body_part_where_two_formats_have_it():
    assert group_joints(NAMES, base_name) == GROUPS


@settings(max_examples=20, deadline=None)
@given(shift=st.tuples(*[st.floats(-2000, 2000)] * 3))
def test_an_error_common_to_all_formats_is_not_an_inconsistency(shift):
    true = make_truth()
    result = format_consistency(true + np.array(shift), true, GROUPS)
    assert_close(result.total_mm, np.zeros(4), atol=1e-9)


def test_errors_along_and_across_the_viewing_ray_are_distinguished():
    true = make_truth()
    middle = (true[:, 1] + true[:, 4]) / 2
    ray = middle / np.linalg.norm(middle, axis=-1, keepdims=True)
    side = np.cross(ray, [0, 1, 0])
    side /= np.linalg.norm(side, axis=-1, keepdims=True)
    for direction, expected in (
        (ray, (30, 30, 0)),
        (side, (30, 0, 30)),
        (ray * 0.6 + side * 0.8, (30, 18, 24)),
    ):
        pred = true.copy()
        pred[:, 1] += 30 * direction
        result = format_consistency(pred, true, {"relb": [1, 4]})
        values = [result.total_mm, result.depth_mm, result.lateral_mm]
        assert_close(values, np.repeat(np.array([expected]).T, 4, axis=1), atol=1e-9)


def test_all_body_parts_have_the_same_weight():
    true = make_truth()
    pred = true.copy()
    pred[:, 0, 2] += 30  # disagrees with two formats, which agree with each other
    pred[:, 1, 2] += 60
    result = format_consistency(pred, true, GROUPS)
    assert_close(result.total_by_part_mm["lelb"], 20.0)
    assert_close(result.total_by_part_mm["relb"], 60.0)
    assert_close(result.total_mm, np.full(4, 40.0))
    assert_close(result.means()["total"], 40.0)


def test_unknown_joints_do_not_count():
    true = make_truth()
    pred = true.copy()
    pred[:, 0, 2] += 30
    mask = np.ones([4, 7], bool)
    mask[0, 0] = False  # leaves the pair of formats that agree
    mask[1, 4] = False  # leaves only one body part
    mask[2] = False
    disturbed = np.where(mask[..., np.newaxis], true, np.nan)
    result = format_consistency(pred, disturbed, GROUPS, mask)
    assert_close(result.total_mm, [0, 20, np.nan, 10], atol=1e-9)
    assert result.is_known.tolist() == [True, True, False, True]
    assert_close(result.means()["total"], 10.0)


def test_nan_predictions_are_not_hidden():
    true = make_truth()
    pred = true.copy()
    pred[1, 0] = np.nan
    result = format_consistency(pred, true, GROUPS)
    assert np.isnan(result.total_mm).tolist() == [False, True, False, False]
    assert np.isnan(result.means()["total"])


def test_one_format_alone_has_no_consistency():
    with pytest.raises(UserError, match="at least two skeleton formats"):
        format_consistency(make_truth(), make_truth(), {})
