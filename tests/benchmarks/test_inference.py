from __future__ import annotations

import json

import pytest

from benchmarks import inference
from benchmarks.estimator_client import SETTINGS, make_input

REQUIRED = {
    "crop_1080p_8boxes_5aug_nobackbone", "crop_480p_2boxes_1aug_nobackbone", "load_nobackbone",
    "first_call_nobackbone", "overhead_1080p_8boxes_5aug_efficientnetv2s",
}  # fmt: skip


@pytest.fixture
def rows(tmp_path, monkeypatch):
    """Rows for made-up measurements: calls of 4 s, of which the network takes 3 s."""
    results = {setting: {"call_s": 4.0, "bare_s": 3.0} for setting in SETTINGS}
    results.update(load_s=1.0, first_call_s=3.0, bare_peak_mb=400.0, peak_mb=500.0)
    bare = {"bare_load_s": 0.5, "bare_first_call_s": 2.0}
    monkeypatch.setattr(
        inference,
        "measure_export",
        lambda crop_model: results if crop_model else {**results, **bare},
    )
    monkeypatch.setattr(inference, "build_crop_model", lambda description: None)
    path = tmp_path / "rows.json"
    assert inference.main([f"--json={path}", "--models=none,efficientnetv2-s"]) == 0
    return {row["name"]: row for row in json.loads(path.read_text())}


def test_table_has_the_required_names_and_relations(rows):
    assert rows.keys() >= REQUIRED
    assert rows["crop_480p_2boxes_1aug_nobackbone"]["value"] == pytest.approx(2000)
    overhead = rows["overhead_1080p_8boxes_5aug_efficientnetv2s"]
    assert overhead["value"] == pytest.approx(100) and overhead["unit"] == "ms/crop"
    assert overhead["limit"] == pytest.approx(75) and overhead["admitted_ratio"] == 1.5
    assert rows["peak_memory_nobackbone"]["ratio"] == pytest.approx(1.25)


def test_the_estimator_may_add_two_seconds_to_the_start_of_its_network(rows):
    limits = {name: row["limit"] for name, row in rows.items() if row["unit"] == "s"}
    assert limits == {
        "load_nobackbone": 2.0, "first_call_nobackbone": 2.0,
        "load_efficientnetv2s": 2.5, "first_call_efficientnetv2s": 4.0,
    }  # fmt: skip


@pytest.mark.slow
def test_networks_are_measured_with_and_without_the_estimator(monkeypatch):
    monkeypatch.setattr(inference, "_SIDE", 64)
    results = inference.measure_export(inference._crop_model("mobilenetv3-small"))
    assert results.keys() >= {*SETTINGS, "peak_mb", "bare_peak_mb"}
    # Which of two times is longer depends on what else the machine does.
    names = ("bare_load_s", "load_s", "bare_first_call_s", "first_call_s")
    assert all(results[name] > 0 for name in names)


def test_boxes_lie_within_the_image():
    for height, width, num_boxes, _ in SETTINGS.values():
        image, boxes = make_input(height, width, num_boxes)
        assert image.shape == (height, width, 3)
        assert boxes.shape == (num_boxes, 4)
        ends = boxes[:, :2] + boxes[:, 2:]
        assert (boxes >= 0).numpy().all() and (ends <= [width, height]).numpy().all()
