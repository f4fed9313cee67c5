"""The benchmark of data preparation, on one run each."""

from __future__ import annotations

import pathlib

import pytest

from benchmarks.preparation import measure


def test_whole_and_stages_are_measured(tmp_path: pathlib.Path) -> None:
    measured = {m.name: m for m in measure(tmp_path, num_repeats=1)}
    whole = measured["efficient_crop_1080p"]
    assert whole.unit == "ms" and whole.value > whole.limit > 0
    assert measured["efficient_crop_1080p_rate"].value == pytest.approx(1e3 / whole.value)
    stages = ("decode_1080p_rate", "render_1080p_rate", "encode_crop_rate")
    assert all(measured[name].value > 0 and not measured[name].target for name in stages)
