"""What all commands have in common; what each of them does is tested in its own file."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import ckpt_tools

COMMANDS = [module.name for module in pkgutil.iter_modules(ckpt_tools.__path__)
            if not module.ispkg]


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
