from __future__ import annotations

import dataclasses

import pytest

from ckpt_tools.common.command import run_tool
from metrabs.settings import setting


@dataclasses.dataclass(frozen=True)
class _Settings:
    paths: tuple[str, ...] = ()
    output: str = setting(None, "a file")
    seed: int = setting(3, "a number", at_least=0)


@pytest.fixture
def run():
    received = []

    def _run(*arguments, **options):
        return run_tool("Usage.", _Settings, received.append, arguments, **options), received

    return _run


def test_action_receives_flags_and_positional_arguments(run):
    code, received = run("a", "--output=x", "b", positional="paths")
    assert code == 0 and received == [_Settings(("a", "b"), "x", 3)]


def test_earlier_spellings_are_understood(run):
    _, (settings,) = run("--old-seed=5", "--output=x", aliases={"old_seed": "seed"})
    assert settings.seed == 5


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 1, "Give --output"),
        (["--output=x", "a"], 1, "'a' is not a flag"),
        (["--output=x", "--seed=-1"], 1, "at least 0"),
        (["--output=x", "--other"], 2, "other"),
    ],
)
def test_wrong_command_lines_are_explained(arguments, code, message, run, capsys):
    assert run(*arguments) == (code, [])
    assert message in capsys.readouterr().err
