from __future__ import annotations

import numpy as np
import pytest

from benchmarks import loading


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    return loading.generated_workload(tmp_path_factory.mktemp("set"), num_examples=2)


def test_the_stages_add_up_to_the_whole(workload):
    whole, *stages = loading.augmentation_measurements(workload, 64)
    assert whole.name == "full_augmentation_64" and whole.unit == "ex/s/core"
    assert whole.admitted_ratio * whole.limit == pytest.approx(150)
    names = ["decoding", "crop", "background", "occlusion", "colour"]
    assert [stage.name for stage in stages] == [f"full_augmentation_64_{n}" for n in names]
    assert sum(stage.value for stage in stages) == pytest.approx(1e3 / whole.value)
    assert sum(stage.ratio for stage in stages) == pytest.approx(1)


def test_streams_are_compared_with_independent_processes_and_these_with_one(workload, monkeypatch):
    monkeypatch.setattr(loading.os, "sched_getaffinity", lambda pid: range(3))
    monkeypatch.setattr(loading, "stream_rate", lambda workload, side, count: 90.0 * count)
    monkeypatch.setattr(
        loading, "independent_rate", lambda workload, side, count: 110.0 - 10 * count
    )
    rows = loading.stream_measurements(workload, 64)
    assert [(row.name, row.value, row.limit) for row in rows] == [
        ("stream_64_1_workers", 90, 100),
        ("stream_64_1_workers_apart", 100, 100),
        ("stream_64_2_workers", 180, 90),
        ("stream_64_2_workers_apart", 90, 200),
        ("stream_64", 270, 80),
        ("stream_64_apart", 80, 300),
    ]
    assert [row.target for row in rows] == [">= 0.9", ""] * 3


@pytest.mark.slow
def test_independent_processes_load_examples(workload):
    assert loading.independent_rate(workload, 64, 2, seconds=0.5) > 1


def test_functions_take_turns_and_the_fastest_call_counts():
    calls = []

    def _slow_at_first():
        calls.append("b")
        for _ in range(1_000_000 if calls.count("b") == 1 else 1):
            pass

    times = loading.best_times([lambda: calls.append("a"), _slow_at_first], num_repeats=3)
    assert calls == ["a", "b"] * 3
    assert len(times) == 2 and 0 <= times[1] < 0.01


def test_each_example_has_what_augmentation_needs(workload):
    assert len(workload.dataset.train) == 2 and workload.dataset.train[0].mask is not None
    assert len(workload.pools.occluders) > 0
    background = workload.pools.sample_background(np.random.default_rng(0))
    assert background.shape == (512, 512, 3)
