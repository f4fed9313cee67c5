"""Progress is a bar on a terminal and lines elsewhere."""

from __future__ import annotations

import time

import pytest

from metrabs.progress import describe_progress, progress_bar, progress_lines


def test_the_innermost_open_bar_is_described() -> None:
    assert describe_progress() == ""
    with progress_bar(desc="outer", total=4) as outer:
        outer.update(1)
        assert describe_progress().startswith("outer 25 %, ")
        with progress_bar(desc="inner", total=2, initial=1):
            assert describe_progress() == "inner 50 %"  # nothing done yet: no estimate
        assert describe_progress().startswith("outer 25 %, ")
    assert describe_progress() == ""


def test_remaining_time_is_that_of_the_items_of_this_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with progress_bar(desc="work", total=100, initial=60) as bar:
        bar.update(10)
        monkeypatch.setattr(time, "time", lambda: bar.start_t + 20)
        assert describe_progress() == "work 70 %, 01:00 remaining"


def test_bars_without_a_total_count() -> None:
    with progress_bar(desc="found", unit="file") as bar:
        bar.update(3)
        assert describe_progress() == "found 3 files"


def test_bars_that_show_nothing_are_not_described() -> None:
    with progress_bar(desc="work", total=2, disable=True):
        assert describe_progress() == ""


def test_iterating_moves_and_ends_the_bar() -> None:
    items = []
    for item in progress_bar(range(3), desc="items"):
        assert describe_progress().startswith("items")
        items.append(item)
    assert items == [0, 1, 2]
    assert describe_progress() == ""


def test_lines_appear_while_the_work_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(desc="work", total=10) as bar:
        bar.update(5)
        with progress_lines("stage", 0.05, is_terminal=False):
            time.sleep(0.3)
    lines = capsys.readouterr().out.splitlines()
    assert 2 <= len(lines) <= 6
    assert all(line.startswith("stage: 00:00 elapsed, work 50 %") for line in lines)
    time.sleep(0.1)
    assert capsys.readouterr().out == ""


def test_a_terminal_gets_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_lines("stage", 0.02, is_terminal=True):
        time.sleep(0.1)
    assert capsys.readouterr().out == ""
