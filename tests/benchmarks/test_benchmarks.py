"""What all benchmarks have in common; each has a test file of its own for the rest."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "name", ["cache", "inference", "loading", "preparation", "rendering", "training"]
)
def test_help_shows_how_the_benchmark_is_called(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert importlib.import_module(f"benchmarks.{name}").main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert f"python -m benchmarks.{name} " in shown and "--json" in shown


def test_tensorflow_prints_no_log_messages() -> None:
    program = [sys.executable, "-m", "benchmarks.training", "--help"]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    result = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
