"""Stages skip what is complete, continue what was interrupted, and start over on new settings."""

from __future__ import annotations

import json
import pathlib
import time

import pytest

from metrabs.reproduction.stages import Stage, is_complete, run_stages


def _stage(calls: list, name: str = "one", value: int = 1, depends_on: tuple = ()) -> Stage:
    def run(folder: pathlib.Path) -> None:
        calls.append(name)
        (folder / "result.txt").write_text(str(value))

    return Stage(name, name, {"value": value}, run, depends_on)


def test_a_complete_stage_is_not_run_again(tmp_path: pathlib.Path) -> None:
    calls: list = []
    assert run_stages([_stage(calls)], tmp_path)
    assert not run_stages([_stage(calls)], tmp_path)
    assert calls == ["one"]


def test_changed_settings_run_the_stage_again_from_an_empty_folder(tmp_path: pathlib.Path) -> None:
    calls: list = []
    run_stages([_stage(calls, value=1)], tmp_path)
    (tmp_path / "one" / "leftover.txt").write_text("old")
    run_stages([_stage(calls, value=2)], tmp_path)
    assert calls == ["one", "one"]
    assert not (tmp_path / "one" / "leftover.txt").exists()
    assert (tmp_path / "one" / "result.txt").read_text() == "2"


def test_a_change_travels_to_the_stages_that_depend_on_it(tmp_path: pathlib.Path) -> None:
    calls: list = []
    for value in (1, 2):
        first = _stage(calls, "first", value)
        second = _stage(calls, "second", 7, (first,))
        run_stages([first, second], tmp_path)
    assert calls == ["first", "second", "first", "second"]


def test_an_interrupted_stage_finds_what_it_left(tmp_path: pathlib.Path) -> None:
    seen: list = []

    def run(folder: pathlib.Path) -> None:
        seen.append(sorted(path.name for path in folder.glob("*.txt")))
        (folder / "half.txt").write_text("half")
        if len(seen) == 1:
            raise KeyboardInterrupt

    stage = Stage("work", "work", {}, run)
    with pytest.raises(KeyboardInterrupt):
        run_stages([stage], tmp_path)
    assert not is_complete(stage, tmp_path)
    run_stages([stage], tmp_path)
    assert seen == [[], ["half.txt"]]
    assert is_complete(stage, tmp_path)


def test_seconds_of_all_runs_of_a_stage_are_added_up(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(folder: pathlib.Path) -> None:
        time.sleep(0.1)
        if not (folder / "half.txt").exists():
            (folder / "half.txt").touch()
            raise KeyboardInterrupt

    stage = Stage("work", "work", {}, run)
    with pytest.raises(KeyboardInterrupt):
        run_stages([stage], tmp_path)
    run_stages([stage], tmp_path)
    assert json.loads((tmp_path / "work" / "complete.json").read_text())["seconds"] >= 0.2
    run_stages([stage], tmp_path)
    assert "already complete (0 s" in capsys.readouterr().out


def test_a_damaged_marker_counts_as_not_complete(tmp_path: pathlib.Path) -> None:
    stage = _stage([])
    run_stages([stage], tmp_path)
    (tmp_path / "one" / "complete.json").write_text("{")
    assert not is_complete(stage, tmp_path)
