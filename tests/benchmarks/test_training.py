from __future__ import annotations

import pytest

from benchmarks import training


@pytest.mark.slow
def test_a_step_is_compared_with_its_backbone_and_divided_into_parts(monkeypatch):
    monkeypatch.setattr(training, "_NUM_TIMED", 1)
    rows = {row.name: row for row in training.measure_case("x", "mobilenetv3-small", 64, (2, 2))}
    step = rows["step_over_backbone_x"]
    assert step.ratio > 1 and step.admitted_ratio == 1.15
    step_ms = 1e3 / rows["steps_per_second_x"].value
    assert step.value == pytest.approx(step_ms)
    parts = [rows[f"{part}_x"] for part in ("forward", "backward", "update")]
    assert sum(part.value for part in parts) == pytest.approx(step_ms)
    assert all(part.limit == pytest.approx(step_ms) for part in parts)
    assert rows["loader_wait_x"].value >= 0
    assert 100 < rows["memory_x"].value < rows["memory_x"].limit
