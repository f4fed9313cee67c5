"""The pipeline of the whole method, with a handful of steps, as a user calls it."""

from __future__ import annotations

import csv
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

_ROOT = pathlib.Path(__file__).parent.parent
_STAGES = [
    "datasets", "separate", "pseudo_labels", "autoencoder", "consistency", "evaluation_separate",
    "evaluation_consistency", "results", "export", "examples", "report",
]  # fmt: skip


def _command(output: pathlib.Path, *extra: str) -> list[str]:
    return [
        sys.executable,
        "reproduce.py",
        "--flagfile=flags/mini/tiny.flags",
        f"--output={output}",
        *extra,
    ]


def _run(output: pathlib.Path, *extra: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        _command(output, *extra), cwd=_ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_killed_pipeline_continues_and_a_complete_one_ends_at_once(
    tmp_path: pathlib.Path,
) -> None:
    process = subprocess.Popen(
        _command(tmp_path),
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 600
    while not (tmp_path / "separate" / "checkpoint").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "separate" / "complete.json").exists()

    # A relative folder works as well.
    finished = _run(pathlib.Path(os.path.relpath(tmp_path, _ROOT)))
    assert finished.returncode == 0, finished.stderr
    assert all((tmp_path / stage / "complete.json").exists() for stage in _STAGES)
    with open(tmp_path / "results" / "results.csv") as file:
        rows = list(csv.DictReader(file))
    assert {row["model"] for row in rows} == {"Separate heads", "Consistency regularisation"}
    assert all(np.isfinite(float(row["value"])) for row in rows)
    manifest = tmp_path / "export" / "estimator" / "assets.extra" / "manifest.json"
    assert json.loads(manifest.read_text())["settings"]["num_latent_keypoints"] == 48
    with np.load(tmp_path / "examples" / "poses.npz") as poses:
        assert "rendered_scene.png" in poses["images"]

    start = time.monotonic()
    again = _run(tmp_path)
    assert again.returncode == 0
    assert "already complete" in again.stdout
    assert time.monotonic() - start < 20


def test_a_missing_photo_is_reported_in_one_line_before_any_work(tmp_path: pathlib.Path) -> None:
    output = tmp_path / "output"
    failed = _run(output, "--photo=no_such_photo.jpg")
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1 and "no_such_photo.jpg" in failed.stderr
    assert not output.exists()


def test_an_unknown_flag_is_reported_in_one_line(tmp_path: pathlib.Path) -> None:
    failed = _run(tmp_path, "--unknown_flag=1")
    assert failed.returncode == 2
    assert failed.stderr.count("\n") == 1 and "unknown_flag" in failed.stderr
