"""What all commands have in common; each has a test file of its own for the rest."""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys

import pytest

import ckpt_tools

COMMANDS = [
    module.name for module in pkgutil.iter_modules(ckpt_tools.__path__) if not module.ispkg
]


def run(name, *arguments):
    return importlib.import_module(f"ckpt_tools.{name}").main(list(arguments))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_how_the_command_is_called(name, capsys):
    assert run(name, "--help") == 0
    assert f"python -m ckpt_tools.{name} " in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_missing_arguments_are_explained(name, capsys):
    assert run(name) == 1
    assert "Give " in capsys.readouterr().err


def test_tensorflow_prints_no_log_messages():
    program = [sys.executable, "-m", "ckpt_tools.package_model", "--help"]
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    result = subprocess.run(program, env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
