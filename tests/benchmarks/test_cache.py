from __future__ import annotations

import json
import subprocess
import sys

import numpy as np

from benchmarks.generated_cache import generated_rows, write_generated_cache
from metrabs.data.storage.cache import open_cache
from metrabs.skeletons.merged_sets import member_names
from metrabs.skeletons.tables import format_members


def test_generated_examples_are_complete(tmp_path):
    write_generated_cache(tmp_path / "set.pkl", 4200)
    table = open_cache(tmp_path / "set.pkl").train
    assert len(table) == 4200
    for index, dataset in ((17, member_names("huge8")[0]), (4100, member_names("huge8")[1])):
        example = table[index]
        assert example.dataset == dataset and example.image_path.endswith(f"/{index:08d}.jpg")
        known = np.flatnonzero(~np.isnan(example.world_coords[:, 0]))
        assert len(known) == len(format_members(dataset))
        assert example.camera.R.shape == (3, 3) and len(example.mask["zcounts"]) == 150


def test_generated_rows_end_with_the_last_example():
    assert sum(len(rows) for rows in generated_rows(5000)) == 5000


def test_the_benchmark_writes_its_named_results(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks.cache",
        "--size=1e3",
        f"--folder={tmp_path}",
        f"--json={tmp_path / 'results.json'}",
    ]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "as a pickled list" in printed and "MISSED" not in printed.split("rss_1e3")[1]
    results = {row["name"]: row for row in json.loads((tmp_path / "results.json").read_text())}
    assert set(results) == {"open_1e3", "read_1e3", "rss_1e3"}
    assert results["rss_1e3"]["limit"] == 200 and results["rss_1e3"]["value"] < 200
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]
