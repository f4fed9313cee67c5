"""Metrics of predictions on the built-in test images, and the tables that compare models."""

from __future__ import annotations

import csv
import json
import pathlib
import types

import numpy as np
import pytest

from metrabs.folders import DataFolders
from metrabs.reproduction import evaluation
from metrabs.skeletons import tables

_NUMBERS = {
    "MPJPE": 150.0,
    "PMPJPE": 110.0,
    "PCK100": 45.0,
    "CPS200": 5.0,
    "total": 100.0,
    "depth": 80.0,
    "lateral": 40.0,
}


def _predictions(shift_mm: tuple[float, float, float], suffix: str) -> dict[str, np.ndarray]:
    """Perfect predictions of 4 poses but for joints of one format, which are shifted."""
    names = list(tables.merged_joint_info("huge8").names)
    true = np.random.default_rng(0).normal(size=(4, len(names), 3)) * 300 + [0, 0, 4000]
    is_shifted = np.array([tables.format_suffix(name) == suffix for name in names])
    pred = true + is_shifted[:, np.newaxis] * np.array(shift_mm)
    return {"coords3d_pred_cam": pred, "coords3d_true_cam": true, "joint_names": np.array(names)}


def test_perfect_predictions_have_no_error() -> None:
    predictions = _predictions((0, 0, 0), "h36m")
    numbers = evaluation.pose_numbers(predictions)
    assert numbers["PCK100"] == numbers["CPS200"] == 100
    assert numbers["MPJPE"] == pytest.approx(0, abs=1e-3)
    assert numbers["PMPJPE"] == pytest.approx(0, abs=1e-3)
    consistency = evaluation.consistency_numbers(predictions)
    assert list(consistency.values()) == pytest.approx([0, 0, 0], abs=1e-3)


def test_a_shifted_format_is_inconsistent_but_its_pose_is_right() -> None:
    predictions = _predictions((0, 0, 100), "h36m")
    assert evaluation.pose_numbers(predictions)["MPJPE"] == pytest.approx(0, abs=1e-3)
    consistency = evaluation.consistency_numbers(predictions)
    assert 0 < consistency["lateral"] < 0.3 * consistency["depth"]
    assert consistency["depth"] < consistency["total"] < 100


def test_a_single_format_has_no_consistency() -> None:
    names = tables.dataset_joint_info("h36m").names
    poses = np.ones([2, len(names), 3])
    assert (
        evaluation.consistency_numbers(
            {
                "coords3d_pred_cam": poses,
                "coords3d_true_cam": poses,
                "joint_names": np.array(names),
            }
        )
        == {}
    )


def _evaluations(root: pathlib.Path, names: list[str]) -> dict[str, pathlib.Path]:
    for i, name in enumerate(names):
        (root / name).mkdir()
        numbers = {key: value + i for key, value in _NUMBERS.items()}
        (root / name / "numbers.json").write_text(json.dumps(numbers))
    return {name: root / name for name in names}


def test_models_are_compared_in_a_table_that_fits_a_terminal(tmp_path: pathlib.Path) -> None:
    names = ["Separate heads, trained on", "Consistency regularisation"]
    evaluation.write_comparison(_evaluations(tmp_path, names), tmp_path / "results")
    lines = (tmp_path / "results" / "results.txt").read_text().splitlines()
    assert max(map(len, lines)) <= 100
    row = next(line for line in lines if line.startswith(names[1]))
    assert row[len(names[1]) :].split() == [
        "151.0",
        "111.0",
        "*46.0",
        "*6.0",
        "101.0",
        "81.0",
        "41.0",
    ]
    with open(tmp_path / "results" / "results.csv") as file:
        values = {(row["model"], row["metric"]): row["value"] for row in csv.DictReader(file)}
    assert values[names[0], "depth"] == "80.0"
    assert (tmp_path / "results" / "results.md").exists()
    assert (tmp_path / "results" / "results.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_of_datasets_are_compared(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compositions = {"synth1": None, "synth3": {"h36m": 1, "muco": 2, "coco": 3}}
    monkeypatch.setattr(
        evaluation, "open_dataset",
        lambda name, folders: types.SimpleNamespace(samples_per_batch=compositions[name]),
    )  # fmt: skip
    evaluations = _evaluations(tmp_path, list(compositions))
    evaluation.write_scale(evaluations, tmp_path / "scale", DataFolders.at(tmp_path))
    text = (tmp_path / "scale" / "results.txt").read_text()
    assert "\n1 dataset " in text and "\n3 datasets " in text
    assert (tmp_path / "scale" / "results.png").exists()
