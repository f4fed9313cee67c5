from __future__ import annotations

import csv

import pytest

from metrabs.errors import UserError
from metrabs.evaluation.report import BenchmarkReport, Column, MetricGroup, ResultTable

NAN = float("nan")
REPORT = BenchmarkReport(
    "h36m",
    [
        MetricGroup("WACV 2023", "17 joints", {"MPJPE": 45.678, "PCK@100": 93.94}),
        MetricGroup("By activity", "aligned", {"Walking": NAN, "Sports": 80.0}, ["Sports"]),
    ],
)


@pytest.fixture
def table():
    columns = [
        Column("MuPoTS", "MPJPE", "mm", "lower", "20 sequences, root 14"),
        Column("MuPoTS", "PCK@100", "%", "higher", "20 sequences, root 14"),
        Column("Human3.6M", "MPJPE", "mm", "lower", "S9, S11, every 64th frame"),
    ]
    table = ResultTable("Formats", columns)
    table.add_row("separate", [91.92, 63.25, NAN])
    table.add_row("consistent", [81.8, 72.5, 45.25])
    return table


def test_text_shows_numbers_and_protocols(table):
    lines = table.to_text().splitlines()
    assert lines[0] == "Formats"
    assert lines[2].split() == ["MuPoTS", "Human3.6M"]
    assert lines[3].split() == ["model", "MPJPE", "PCK@100", "MPJPE"]
    assert lines[4].split() == ["[mm]", "↓", "[%]", "↑", "[mm]", "↓"]
    assert lines[5].split() == ["(a)", "(a)", "(b)"]
    assert lines[7].split() == ["separate", "91.9", "63.2", "–"]
    assert lines[8].split() == ["consistent", "*81.8", "*72.5", "45.2"]
    assert lines[10:] == ["(a) 20 sequences, root 14", "(b) S9, S11, every 64th frame"]


def test_text_puts_benchmarks_above_their_columns_and_wraps_long_protocols():
    columns = [
        Column("A", "PCK", "%", "higher", "x " * 80),
        Column("quite a long benchmark name", "AUC", "%", "higher", "all"),
        Column("quite a long benchmark name", "CPS", "%", "higher", "all"),
    ]
    table = ResultTable("Spans", columns)
    table.add_row("model", [1, 2, 3])
    lines = table.to_text().splitlines()
    assert lines[2].endswith("  quite a long benchmark name")
    assert len(lines[2]) == len(lines[3]) == len(lines[6])
    assert lines[2].index(" A ") + 1 == lines[3].index("PCK") + 2
    assert max(map(len, lines)) <= 99


def test_markdown_shows_numbers_and_protocols(table):
    lines = table.to_markdown().splitlines()
    assert lines[2] == (
        "| model | MuPoTS MPJPE [mm] ↓ (a) | MuPoTS PCK@100 [%] ↑ (a) | "
        "Human3.6M MPJPE [mm] ↓ (b) |"
    )
    assert lines[5] == "| consistent | **81.8** | **72.5** | 45.2 |"
    assert lines[-1] == "- (b) S9, S11, every 64th frame"


def test_csv_has_one_line_per_number_with_its_protocol(table, tmp_path):
    table.write(tmp_path / "results.csv")
    with open(tmp_path / "results.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[0]["value"] == "91.92" and rows[2]["value"] == ""
    assert rows[5]["protocol"] == "S9, S11, every 64th frame"
    assert all(row["protocol"] for row in rows)


def test_suffix_chooses_the_format(table, tmp_path):
    for report in (table, REPORT):
        for suffix, content in (
            ("txt", report.to_text()),
            ("md", report.to_markdown()),
            ("csv", report.to_csv()),
            ("tex", report.to_latex()),
        ):
            report.write(tmp_path / f"results.{suffix}")
            assert (tmp_path / f"results.{suffix}").read_text(encoding="utf-8") == content
    with pytest.raises(UserError, match="table format 'xls'. Known: csv, md, tex, txt"):
        table.write(tmp_path / "results.xls")


def test_latex_shows_numbers_and_protocols(table):
    lines = table.to_latex().splitlines()
    assert lines[1] == "% model & MuPoTS MPJPE & MuPoTS PCK@100 & Human3.6M MPJPE"
    assert "% (b) S9, S11, every 64th frame" in lines
    assert lines[-2:] == [r"separate & 91.9 & 63.2 & – \\", r"consistent & 81.8 & 72.5 & 45.2 \\"]


def test_equal_best_numbers_are_all_marked():
    table = ResultTable("Ties", [Column("A", "PCK", "%", "higher", "all")])
    for model in ("one", "two"):
        table.add_row(model, [50.01])
    assert table.to_text().count("*50.0") == 2


def test_many_protocols_get_their_own_marks():
    columns = [Column("A", "m", "mm", "lower", f"protocol {i}") for i in range(28)]
    table = ResultTable("Many", columns)
    table.add_row("x", range(28))
    assert "(ab) protocol 27" in table.to_text()


def test_a_number_without_protocol_is_rejected():
    with pytest.raises(UserError, match="needs its protocol"):
        Column("A", "PCK", "%", "higher", " ")


def test_unknown_direction_is_rejected():
    with pytest.raises(UserError, match="'up'. Known: higher, lower"):
        Column("A", "PCK", "%", "up", "all")


def test_rows_must_fit_the_columns(table):
    with pytest.raises(UserError, match="'new' has 1 values for 3 columns"):
        table.add_row("new", [1.0])


def test_report_of_a_benchmark_shows_units_and_protocols():
    text = REPORT.to_text()
    assert "MPJPE        45.7 mm" in text and "PCK@100      93.9 %" in text
    assert "Sports       80.0 %" in text and "– mm" in text
    assert "(17 joints)" in text and "(aligned)" in text
    markdown = REPORT.to_markdown().splitlines()
    assert "| PCK@100 | 93.9 % |" in markdown and "17 joints" in markdown


def test_latex_rows_of_a_benchmark_are_as_in_the_original():
    assert r"45.7 & 93.9 \\" in REPORT.to_latex().splitlines()


def test_csv_of_a_benchmark_has_full_precision_and_the_protocol(tmp_path):
    REPORT.write(tmp_path / "numbers.csv")
    with open(tmp_path / "numbers.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "benchmark": "h36m",
        "metric": "WACV 2023: MPJPE",
        "value": "45.678",
        "unit": "mm",
        "protocol": "17 joints",
    }
    assert rows[2]["value"] == ""
