"""Metrics of held-out examples, worked out by hand."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from metrabs.data.datasets import open_dataset
from metrabs.models.build import build_crop_model
from metrabs.models.description import ModelDescription
from metrabs.training.validation import pose_metrics, validation_metrics
from tests.training.tiny import tiny_config

NAMES = ["neck", "lwri", "rwri", "lwri_coco", "pelv"]
_ALL = np.ones([4, 5], bool)


def _poses() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 300, [4, 5, 3]) + [0, 0, 3000]


def _near(true: np.ndarray) -> np.ndarray:
    return true + np.random.default_rng(1).normal(0, 40, true.shape)


def test_a_shift_counts_in_the_absolute_error_only() -> None:
    true = _poses()
    metrics = pose_metrics(true + [30, 40, 0], true, _ALL, NAMES)
    assert metrics["mean_error_abs"] == pytest.approx(50)
    assert metrics["mean_error"] == pytest.approx(0, abs=1e-9)
    assert metrics["mean_error_procrustes"] == pytest.approx(0, abs=1e-6)
    assert metrics["mean_pck"] == metrics["ncps"] == 1


def test_size_and_rotation_do_not_count_after_alignment() -> None:
    true = _poses()
    metrics = pose_metrics(1.3 * true[..., [1, 2, 0]], true, _ALL, NAMES)
    assert metrics["mean_error_procrustes"] == pytest.approx(0, abs=1e-6)
    assert metrics["mean_error"] > 100


def test_invalid_joints_do_not_matter() -> None:
    true, mask = _poses(), _ALL.copy()
    mask[0, 1:] = False  # too few for an alignment
    mask[1, 4] = False
    pred = _near(true)
    changed = np.where(mask[..., np.newaxis], pred, -777.0)
    expected = pose_metrics(pred, true, mask, NAMES)
    assert pose_metrics(changed, true, mask, NAMES) == pytest.approx(expected)


def test_nothing_valid_gives_zero() -> None:
    metrics = pose_metrics(_near(_poses()), _poses(), ~_ALL, NAMES)
    assert set(metrics.values()) == {0.0}


def test_poses_with_too_few_joints_do_not_disturb_the_aligned_metrics() -> None:
    true, mask = _poses(), _ALL.copy()
    pred = _near(true)
    mask[3, 2:] = False
    metrics = pose_metrics(pred, true, mask, NAMES)
    expected = pose_metrics(pred[:3], true[:3], mask[:3], NAMES)
    for name in ("mean_error_procrustes", "ncps", "ncps_auc"):
        assert metrics[name] == expected[name]


def test_wrists_need_a_pair_of_wrists() -> None:
    true = _poses()
    assert pose_metrics(_near(true), true, _ALL, NAMES)["pck_wrists"] > 0
    names = ["lwri_coco", "rwri_coco", "neck", "head", "pelv"]
    assert pose_metrics(_near(true), true, _ALL, names)["pck_wrists"] == 0.0


def test_last_joint_can_be_the_reference() -> None:
    true = _poses()
    pred = true.copy()
    pred[:, -1] += [0, 0, 50]
    metrics = pose_metrics(pred, true, _ALL, NAMES, mean_relative=False)
    assert metrics["mean_error"] == pytest.approx(50 * 4 / 5)


def test_a_distance_of_exactly_the_limit_is_correct() -> None:
    true = np.zeros([1, 5, 3])
    pred = true.copy()
    pred[0, 1, 2] = 150.0
    metrics = pose_metrics(pred, true, _ALL[:1], NAMES, mean_relative=False)
    assert metrics["mean_pck"] == 1.0


def test_errors_without_a_prediction_are_left_out() -> None:
    metrics = pose_metrics(_near(_poses()), _poses(), _ALL, NAMES, is_absolute=False)
    assert "mean_error_abs" not in metrics and "mean_error_2d" not in metrics


@pytest.mark.parametrize("model_class", ["Metrabs", "Metro"])
def test_a_model_is_measured_on_all_examples_of_the_split(
    tmp_path: pathlib.Path, model_class: str
) -> None:
    config = tiny_config(tmp_path, batch_size_test=2, model_class=model_class)  # of 3 examples
    dataset = open_dataset(config.data.dataset3d)
    model = build_crop_model(ModelDescription(config, dataset.joint_info))
    metrics = validation_metrics(model, dataset, config)
    assert metrics == pytest.approx(
        validation_metrics(model, dataset, config.replace(batch_size_test=3)), rel=1e-4
    )
    assert metrics["mean_error_procrustes"] < metrics["mean_error"]
    assert (
        ("mean_error_abs" in metrics) == ("mean_error_2d" in metrics) == (model_class == "Metrabs")
    )
