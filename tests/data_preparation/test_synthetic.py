from __future__ import annotations

import subprocess
import sys

from metrabs.data.storage.cache import open_cache

_SIZES = [
    "--examples_per_dataset=1",
    "--valid_examples_per_dataset=1",
    "--num_test_examples=1",
    "--examples_per_dataset_2d=1",
    "--workers=1",
]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "data_preparation.synthetic", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_command_builds_all_sets(tmp_path):
    finished = _run(f"--data_root={tmp_path}", "--seed=3", *_SIZES)
    assert finished.returncode == 0, finished.stderr
    for name in ("synth28", "synth14", "synth3", "synth1", "synth2d"):
        assert str(tmp_path / "cache" / f"{name}.pkl") in finished.stdout
    assert len(open_cache(tmp_path / "cache" / "synth28.pkl").test) == 1


def test_mistakes_end_in_one_line(tmp_path):
    finished = _run(f"--data_root={tmp_path}", "--examples_per_dataset=0")
    assert finished.returncode == 1
    assert finished.stderr.count("\n") == 1 and "at least 1" in finished.stderr
