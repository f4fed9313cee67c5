from __future__ import annotations

import numpy as np
import pytest

from metrabs.evaluation.protocols import three_dpw


def test_major_and_minor_joints_are_all_joints():
    assert sorted([*three_dpw.MAJOR_JOINTS, *three_dpw.MINOR_JOINTS]) == list(range(24))


def test_thresholds_are_inclusive():
    true = np.zeros([1, 24, 3])
    pred = true.copy()
    pred[0, 4, 0] = 50
    assert three_dpw.pck_by_threshold(pred, true)["PCK@50"] == 100
    pred[0, 4, 0] = 51
    assert three_dpw.pck_by_threshold(pred, true)["PCK@50"] == pytest.approx(100 * 11 / 12)
    assert three_dpw.pck_by_threshold(pred, true)["PCK@51"] == 100


@pytest.mark.parametrize("is_causal", [True, False])
def test_smoothing_does_not_change_static_tracks(is_causal):
    tracks = np.broadcast_to(np.random.default_rng(0).normal(size=(2, 1, 24, 3)), (2, 9, 24, 3))
    np.testing.assert_allclose(three_dpw.smooth_tracks(tracks, is_causal), tracks)


def test_the_causal_kernel_does_not_see_the_future():
    tracks = np.zeros([1, 12, 24, 3])
    tracks[0, 6] = 1
    smoothed = three_dpw.smooth_tracks(tracks, is_causal=True)[0, :, 0, 0]
    np.testing.assert_allclose(smoothed[6:11], np.array([6, 2, 1, 1, 0.5]) / 10.5)
    assert not smoothed[:6].any()


def test_the_acausal_kernel_is_symmetric():
    tracks = np.random.default_rng(1).normal(size=(1, 15, 24, 3))
    forward = three_dpw.smooth_tracks(tracks, is_causal=False)
    backward = three_dpw.smooth_tracks(tracks[:, ::-1], is_causal=False)[:, ::-1]
    np.testing.assert_allclose(forward, backward)
