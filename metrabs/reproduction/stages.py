"""Resumable stages: each knows the settings it depends on and skips itself when it is complete.

A stage owns one folder. `started.json` there holds the fingerprint of the settings it was started
with, `complete.json` the same once it is finished. A stage that was interrupted runs again and may
continue from its files; one whose settings changed starts from an empty folder. The fingerprint
includes those of the stages it depends on, so that a change propagates downstream.
"""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

from metrabs.progress import progress_lines
from metrabs.resumable import fingerprint, read_marker, write_marker

_STARTED, _COMPLETE = "started.json", "complete.json"


@dataclasses.dataclass(frozen=True)
class Stage:
    """One step of a pipeline.

    Attributes:
        name: Name of the stage's folder.
        title: Message while it runs.
        settings: Everything (JSON values) that the result depends on, besides other stages.
        run: Does the work; receives the stage's folder, which exists.
        depends_on: Stages whose results are used.
    """

    name: str
    title: str
    settings: dict[str, Any]
    run: Callable[[pathlib.Path], None]
    depends_on: tuple[Stage, ...] = ()

    def fingerprint(self) -> str:
        """Returns a digest (16 hexadecimal digits) of all settings the result depends on."""
        return fingerprint(
            self.name, self.settings, [stage.fingerprint() for stage in self.depends_on]
        )


def run_stages(stages: Sequence[Stage], root: pathlib.Path) -> bool:
    """Runs the stages in order, skipping the complete ones, and reports on the terminal.

    Args:
        stages: Stages in an order in which each comes after those it depends on.
        root: Folder of the stages' folders.

    Returns:
        Whether any stage had to run.
    """
    anything_done = False
    for number, stage in enumerate(stages, start=1):
        label = f"[{number}/{len(stages)}] {stage.title}"
        completed = read_marker(root / stage.name / _COMPLETE, stage.fingerprint())
        if completed is not None:
            print(
                f"{label}: already complete ({completed['seconds']:.0f} s when it ran)", flush=True
            )
            continue
        print(label, flush=True)
        with progress_lines(label):
            _run_stage(stage, root)
        anything_done = True
    return anything_done


def is_complete(stage: Stage, root: pathlib.Path) -> bool:
    """Returns whether the stage has finished with exactly these settings."""
    return read_marker(root / stage.name / _COMPLETE, stage.fingerprint()) is not None


def _run_stage(stage: Stage, root: pathlib.Path) -> None:
    folder = root / stage.name
    started = read_marker(folder / _STARTED, stage.fingerprint())
    if started is None:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    seconds = started["seconds"] if started else 0.0
    _mark(folder / _STARTED, stage, seconds)
    start = time.monotonic()
    try:
        stage.run(folder)
    finally:
        seconds += time.monotonic() - start
        _mark(folder / _STARTED, stage, seconds)
    _mark(folder / _COMPLETE, stage, seconds)
    print(f"      {seconds:.0f} s", flush=True)


def _mark(marker: pathlib.Path, stage: Stage, seconds: float) -> None:
    write_marker(marker, stage.fingerprint(), seconds=round(seconds, 2), settings=stage.settings)
