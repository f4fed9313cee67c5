from __future__ import annotations

import numpy as np
import pytest

from metrabs.evaluation.metrics import wacv_metrics
from metrabs.evaluation.protocols import human36m, mpi_inf_3dhp, three_dpw
from metrabs.geometry.pose_distances import (
    absolute_distances,
    aligned_distances,
    relative_distances,
)
from tests.golden.tolerances import assert_close

_PRINTED = 1.01e-5  # half of the last printed digit, and the rounding of percentages


@pytest.fixture
def data(golden):
    return golden("train_benchmark_h36m_3dhp_3dpw")


def _values(numbers):
    return np.array(list(numbers.values()))


@pytest.mark.parametrize("root_last", [0, 1])
def test_human36m_numbers_match_the_original(data, root_last):
    poses = (data["h36m_pred"], data["h36m_true"])
    root = -1 if root_last else human36m.ROOT_JOINT
    for procrustes in (0, 1):
        numbers = human36m.error_per_activity(
            *poses, data["h36m_activities"], root, procrustes=bool(procrustes)
        )
        expected = data[f"h36m_rootlast{root_last}_evaluate_procrustes{procrustes}"]
        assert_close(_values(numbers), expected, rtol=1e-6)
    expected = data[f"h36m_rootlast{root_last}_wacv23"]
    assert_close(_values(wacv_metrics(*poses, root)), expected, rtol=1e-6)


def test_mpi_inf_3dhp_numbers_match_the_original(data):
    poses = (data["tdhp_pred"], data["tdhp_true"])
    activities, scenes = data["tdhp_activities"], data["tdhp_scenes"]
    for procrustes in (0, 1):
        numbers = mpi_inf_3dhp.classic_numbers(*poses, activities, scenes, bool(procrustes))
        assert_close(_values(numbers), data[f"tdhp_evaluate_procrustes{procrustes}"], rtol=1e-6)
    numbers = mpi_inf_3dhp.wacv_numbers(*poses, scenes)
    assert_close(_values(numbers), data["tdhp_wacv23"], rtol=1e-6)


def test_3dpw_numbers_match_the_original(data):
    poses = (data["tdpw_pred"], data["tdpw_true"])
    root = three_dpw.ROOT_JOINT
    assert_close(relative_distances(*poses, root=root)[0], data["tdpw_dist"], rtol=1e-6)
    assert_close(aligned_distances(*poses)[0], data["tdpw_dist_pa"], rtol=1e-6)
    assert_close(absolute_distances(*poses)[0], data["tdpw_dist_abs"], rtol=1e-6)
    assert_close(_values(wacv_metrics(*poses, root)), data["tdpw_wacv23"], rtol=1e-6)
    numbers = three_dpw.classic_numbers(*poses)
    assert list(numbers) == str(data["tdpw_table_header"]).split(" & ")
    assert_close(_values(numbers), data["tdpw_table_values_5decimals"], rtol=0, atol=_PRINTED)
    assert_close(
        _values(three_dpw.ncps_by_threshold(*poses)),
        data["tdpw_ncps_50_75_100_125_150_5decimals"],
        rtol=0,
        atol=_PRINTED,
    )


def test_3dpw_smoothing_matches_the_original_but_for_the_shift_of_the_causal_kernel(data):
    tracks = data["tdpw_tracks"]
    assert_close(three_dpw.smooth_tracks(tracks, False), data["tdpw_acausal_smooth"], rtol=1e-6)
    # The original looks one frame ahead; beyond the end it repeats the last frame.
    continued = np.concatenate([tracks, tracks[:, -1:]], axis=1)
    shifted = three_dpw.smooth_tracks(continued, True)[:, 1:]
    assert_close(shifted, data["tdpw_causal_smooth"], rtol=1e-6)
