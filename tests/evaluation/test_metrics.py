from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from metrabs.evaluation import metrics
from metrabs.geometry.pose_distances import relative_distances
from tests.golden.tolerances import assert_close


def make_poses(seed=0, num_poses=6, noise=60.0):
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(num_poses, 9, 3)) * 300 + [0, 0, 4000]
    return true + rng.normal(size=true.shape) * noise, true


def test_a_perfect_prediction_has_no_error():
    _, true = make_poses()
    result = metrics.wacv_metrics(true, true, root=0)
    for name, value in result.items():
        assert_close(value, 0.0 if "MPJPE" in name else 100.0, atol=1e-9)


def test_numbers_are_in_the_order_of_the_evaluation():
    assert list(metrics.wacv_metrics(*make_poses(), root=0)) == [
        "MPJPE",
        "PA-MPJPE",
        "A-MPJPE",
        "PCK@50",
        "PCK@100",
        "PCK@150",
        "AUC@50",
        "AUC@100",
        "AUC@150",
        "CPS@100",
        "CPS@150",
        "CPS@200",
        "AUC-CPS@100",
        "AUC-CPS@150",
        "AUC-CPS@200",
        "APCK@150",
        "APCK@300",
        "AUC-APCK@150",
        "AUC-APCK@300",
    ]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_errors_are_invariant_to_what_their_alignment_removes(seed):
    pred, true = make_poses(seed)
    moved = pred + [500, -200, 900]
    turned = pred @ Rotation.random(random_state=seed).as_matrix() * 1.3
    for root in (0, -1):
        original, of_moved, of_turned = (
            metrics.wacv_metrics(p, true, root) for p in (pred, moved, turned)
        )
        assert_close(of_moved["MPJPE"], original["MPJPE"])
        assert_close(of_turned["PA-MPJPE"], original["PA-MPJPE"])
        assert original["PA-MPJPE"] < original["MPJPE"]
        assert of_moved["A-MPJPE"] > 900


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_invalid_joints_do_not_count(seed):
    pred, true = make_poses(seed)
    mask = np.ones([6, 9], bool)
    mask[:, [2, 5]] = False
    mask[4:] = False
    disturbed_pred = np.where(mask[..., np.newaxis], pred, 1e6)
    disturbed_true = np.where(mask[..., np.newaxis], true, np.nan)
    kept = [0, 1, 3, 4, 6, 7, 8]
    expected = metrics.wacv_metrics(pred[:4, kept], true[:4, kept], root=0)
    actual = metrics.wacv_metrics(disturbed_pred, disturbed_true, root=0, mask=mask)
    for name in expected:
        assert_close(actual[name], expected[name], rtol=1e-9)


def test_poses_with_invalid_root_or_too_few_joints_do_not_count():
    pred, true = make_poses(3)
    mask = np.ones([6, 9], bool)
    mask[0, 4] = False
    expected = metrics.wacv_metrics(pred[1:], true[1:], root=4)
    assert_close(metrics.wacv_metrics(pred, true, 4, mask)["MPJPE"], expected["MPJPE"])
    mask[0] = False
    mask[0, :2] = True
    assert_close(metrics.wacv_metrics(pred, true, 4, mask)["PA-MPJPE"], expected["PA-MPJPE"])


def test_nothing_valid_gives_nan():
    pred, true = make_poses(4)
    result = metrics.wacv_metrics(pred, true, root=0, mask=np.zeros([6, 9], bool))
    assert np.isnan(list(result.values())).all()


def test_nan_predictions_count_as_wrong_and_show_in_the_mean():
    pred, true = make_poses(5, noise=0)
    pred[0, 3] = np.nan
    result = metrics.wacv_metrics(pred, true, root=0)
    assert np.isnan(result["MPJPE"]) and np.isnan(result["AUC@100"])
    assert_close(result["PCK@100"], 100 * (1 - 1 / 54))


def test_hand_derived_percentages_and_areas():
    distances = np.array([[0.0, 50.0, 100.0], [25.0, 75.0, 200.0]])
    assert_close(metrics.pck(distances, 100), 100 * 4 / 6)  # 100 is not below 100
    assert_close(metrics.auc(distances, 100), 100 * (1 + 0.5 + 0 + 0.75 + 0.25 + 0) / 6)
    assert_close(metrics.cps(distances, 150), 50.0)
    assert_close(metrics.auc_cps(distances, 200), 25.0)
    mask = np.array([[True, True, True], [True, True, False]])
    assert_close(metrics.cps(distances, 101, mask), 100.0)
    assert_close(
        metrics.auc_3dhp(np.array([0.0, 4.9, 5.0, 149.0, 151.0])),
        100 * (30 + 30 + 29 + 1 + 0) / 31 / 5,
    )
    assert_close(
        metrics.auc_3dpw(np.array([0.0, 3.9, 4.0, 300.0])), 100 * (0.99 + 0.99 + 0.97 + 0) / 4
    )


def test_area_is_the_mean_of_percentages_over_thresholds():
    distances = np.random.default_rng(6).uniform(0, 200, 500)
    percentages = [metrics.pck(distances, t) for t in np.linspace(0.01, 150, 3000)]
    assert metrics.auc(distances, 150) == pytest.approx(np.mean(percentages), abs=0.1)


@pytest.mark.parametrize(
    "prefix, expected, root",
    [
        ("h36m", "h36m_rootlast0_wacv23", 0),
        ("h36m", "h36m_rootlast1_wacv23", -1),
        ("tdpw", "tdpw_wacv23", 0),
    ],
)
def test_wacv_numbers_match_the_original(golden, prefix, expected, root):
    data = golden("train_benchmark_h36m_3dhp_3dpw")
    actual = metrics.wacv_metrics(data[f"{prefix}_pred"], data[f"{prefix}_true"], root)
    assert_close(list(actual.values()), data[expected], rtol=1e-6)


def test_areas_of_3dpw_and_3dhp_match_the_original(golden):
    data = golden("train_benchmark_h36m_3dhp_3dpw")
    major = [1, 2, 4, 5, 7, 8, *range(16, 22)]
    table = dict(
        zip(str(data["tdpw_table_header"]).split(" & "), data["tdpw_table_values_5decimals"])
    )
    assert_close(metrics.auc_3dpw(data["tdpw_dist"][:, major]), table["AUC"], rtol=1e-5)
    distances, _ = relative_distances(data["tdhp_pred"], data["tdhp_true"], root=14)
    assert_close(metrics.auc_3dhp(distances[:, :14]), data["tdhp_evaluate_procrustes0"][-2])
