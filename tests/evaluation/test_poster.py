from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.evaluation.poster import METRICS, TABLE_1, poster_table
from metrabs.evaluation.report import BenchmarkReport, MetricGroup


def test_every_row_of_the_poster_has_all_benchmarks_and_metrics():
    assert all(len(numbers) == 4 * len(METRICS) for numbers in TABLE_1.values())


def test_results_are_rows_named_after_their_folder(tmp_path):
    folder = tmp_path / "my_model"
    folder.mkdir()
    numbers = {"MPJPE": 44.0, "PA-MPJPE": 33.0, "PCK@100": 95.0, "CPS@200": 91.0, "CPS@100": 1.0}
    report = BenchmarkReport(
        "h36m", [MetricGroup("WACV 2023", "p", numbers), MetricGroup("x", "p", {"MPJPE": 1})]
    )
    report.write(folder / "h36m_pred_aug1_numbers.csv")
    table = poster_table(tmp_path.rglob("*_numbers.csv"))
    name, values = table.rows[-1]
    assert name == "here: my_model" and len(table.rows) == len(TABLE_1) + 1
    assert values[-4:] == [44.0, 33.0, 95.0, 91.0]
    assert np.isnan(values[:-4]).all()


def test_a_folder_without_results_is_an_error_that_says_how_to_make_them(tmp_path):
    with pytest.raises(UserError, match="metrabs.evaluation NAME"):
        poster_table(tmp_path.rglob("*_numbers.csv"))


def test_a_file_of_other_content_is_named(tmp_path):
    (tmp_path / "x_numbers.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="x_numbers.csv"):
        poster_table([tmp_path / "x_numbers.csv"])
