from __future__ import annotations

import csv
import dataclasses
import io

import numpy as np

from data_preparation.merging.statistics import (
    DatasetStatistics,
    dataset_statistics,
    statistics_csv,
    statistics_table,
)
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache, write_cache
from tests.data.conftest import JOINTS, random_example_3d


def example(dataset, known, has_mask):
    coords = np.full((6, 3), np.nan, np.float32)
    coords[known] = 1
    return dataclasses.replace(
        random_example_3d(0, dataset),
        image=None,
        world_coords=coords,
        mask={"size": [2, 3], "counts": b"51"} if has_mask else None,
    )


def test_examples_joints_and_masks_are_counted_by_dataset_and_phase(tmp_path):
    train = [
        example("a", [0, 1], True),
        example("b", [5], False),
        example("a", [1, 2], False),
        example("a", [], False),
        example("b", [5], False),
    ]
    path = tmp_path / "set.pkl"
    write_cache(path, PoseDataset("set", JOINTS, train, [example("b", [0, 5], True)]))
    seen = []
    statistics = dataset_statistics(open_cache(path), seen.append)
    assert sum(seen) == 6
    assert statistics == [
        DatasetStatistics("a", "train", 3, 3, 100 * 4 / 9, 100 / 3),
        DatasetStatistics("b", "train", 2, 1, 100.0, 0.0),
        DatasetStatistics("b", "valid", 1, 2, 100.0, 100.0),
    ]


def test_the_table_has_sums_and_the_csv_all_digits():
    statistics = [
        DatasetStatistics("a", "train", 3000, 4, 50.0, 100.0),
        DatasetStatistics("b", "train", 1000, 8, 100.0, 0.0),
        DatasetStatistics("b", "valid", 7, 8, 1 / 3, 0.0),
    ]
    lines = statistics_table(statistics).splitlines()
    assert lines[3].split() == ["all", "2", "train", "4,000", "70.0", "75.0"]
    assert len(lines) == 5
    rows = list(csv.DictReader(io.StringIO(statistics_csv(statistics))))
    assert rows[2]["percent_valid"] == str(1 / 3) and rows[0]["num_examples"] == "3000"
