"""The command line, the table and the JSON file of benchmarks."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

from benchmarks.report import BenchmarkSettings, Measurement, report, run_benchmark
from metrabs.settings import setting


def test_targets_are_largest_or_smallest_ratios_to_the_limit() -> None:
    assert not Measurement("a", 11.0, "ms", 10.0, admitted_ratio=1.15).is_missed
    assert Measurement("a", 12.0, "ms", 10.0, admitted_ratio=1.15).is_missed
    assert not Measurement("a", 9.5, "1/s", 10.0, 0.9, higher_is_better=True).is_missed
    assert Measurement("a", 8.5, "1/s", 10.0, 0.9, higher_is_better=True).is_missed


def test_without_a_target_nothing_is_missed() -> None:
    for measurement in (Measurement("a", 15.0, "ms", 10.0), Measurement("a", 15.0, "ms")):
        assert not measurement.is_missed and measurement.target == ""


def test_table_and_file_have_all_measurements(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(
        [
            Measurement("a", 15.0, "ms", 10.0, 1.15),
            Measurement("b", 8.0, "1/s", 10.0, 0.75, higher_is_better=True),
            Measurement("c", 3.0, "MB"),
        ],
        tmp_path / "out.json",
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        ["a", "15", "ms", "10", "1.5", "<=", "1.15", "MISSED"],
        ["b", "8", "1/s", "10", "0.8", ">=", "0.75"],
        ["c", "3", "MB"],
    ]
    rows = json.loads((tmp_path / "out.json").read_text())
    assert rows[0] == {
        "name": "a",
        "value": 15.0,
        "unit": "ms",
        "limit": 10.0,
        "ratio": 1.5,
        "admitted_ratio": 1.15,
    }
    assert rows[2]["limit"] is rows[2]["ratio"] is rows[2]["admitted_ratio"] is None


@dataclasses.dataclass(frozen=True)
class _Settings(BenchmarkSettings):
    size: float = setting(1e7, "a number")


def test_command_passes_settings_and_reports_measurements(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def _measure(settings: _Settings) -> list[Measurement]:
        return [Measurement("size", settings.size, "MB")]

    path = tmp_path / "out.json"
    assert run_benchmark("Usage.", _measure, ["--size=1e3", f"--json={path}"], _Settings) == 0
    assert "size" in capsys.readouterr().out
    assert [row["value"] for row in json.loads(path.read_text())] == [1000]
    assert run_benchmark("Usage.", _measure, ["other"], _Settings) == 1
    assert "'other' is not a flag" in capsys.readouterr().err
