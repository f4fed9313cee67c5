"""Running a command: flags, positional arguments, mistakes, exit codes, the data root."""

from __future__ import annotations

import dataclasses
import errno
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Callable, Optional

import pytest
from absl import flags

from metrabs.command import (
    DataFolderSettings,
    asks_for_help,
    data_root_of,
    define_data_root,
    exit_code_of,
    normalized_flag,
    reject_positional_args,
    required,
    run_command,
    run_tool,
)
from metrabs.errors import UserError
from metrabs.settings import setting

_Action = Callable[[flags.FlagValues, Sequence[str]], Optional[int]]


def _define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("some_name", None, "what it is", flag_values=values)
    flags.DEFINE_integer("count", 1, "how many", flag_values=values)
    flags.DEFINE_bool("progress", True, "shows a bar", flag_values=values)


def _run(action: _Action, *arguments: str, **options: dict[str, str]) -> int:
    return run_command("Usage text.", _define, action, arguments, **options)  # type: ignore


def test_flags_and_positional_arguments_reach_the_action() -> None:
    seen = {}

    def action(values: flags.FlagValues, words: Sequence[str]) -> None:
        seen.update(name=values.some_name, count=values.count, words=list(words))

    assert _run(action, "first", "--some-name=a-b", "--count=2", "second") == 0
    assert seen == {"name": "a-b", "count": 2, "words": ["first", "second"]}


def test_help_shows_usage_and_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(lambda values, words: pytest.fail("must not run"), "--help") == 0
    text = capsys.readouterr().out
    assert text.startswith("Usage text.") and "--some_name" in text


@pytest.mark.parametrize(
    ("error", "arguments", "code"),
    [
        (UserError("This went wrong."), [], 1),
        (None, ["--count=many"], 2),
        (None, ["--unknown"], 2),
        (KeyboardInterrupt(), [], 130),
    ],
)
def test_mistakes_end_in_one_line_and_a_code(
    error: BaseException, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def action(values: flags.FlagValues, words: Sequence[str]) -> None:
        raise error

    assert _run(action, *arguments) == code
    text = capsys.readouterr().err.strip()
    assert text.startswith("error: ") and len(text.splitlines()) == 1


def test_an_action_may_choose_its_exit_code() -> None:
    assert _run(lambda values, words: 3) == 3


def test_bugs_are_not_hidden() -> None:
    def action(values: flags.FlagValues, words: Sequence[str]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        _run(action)


def test_missing_flags_and_extra_arguments_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    def action(values: flags.FlagValues, words: Sequence[str]) -> None:
        reject_positional_args(words)
        required(values, "some_name")

    assert _run(action) == 1
    assert "Give --some_name" in capsys.readouterr().err
    assert _run(action, "--some_name=x") == 0
    assert _run(action, "--some_name=x", "word") == 1
    assert "'word' is not a flag" in capsys.readouterr().err


def test_earlier_spellings_of_flags_are_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    names = []
    aliases = {"earlier_name": "some_name"}
    for argument in ("--earlier_name=x", "--earlier-name=y", "--some_name=z"):
        assert (
            _run(lambda values, words: names.append(values.some_name), argument, aliases=aliases)
            == 0
        )
    assert names == ["x", "y", "z"]
    assert _run(lambda values, words: None, "--earlier_name=x") == 2


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--some-flag=a-b", "--some_flag=a-b"),
        ("--no-progress", "--noprogress"),
        ("--no_progress", "--noprogress"),
        ("a-b", "a-b"),
        ("-1", "-1"),
    ],
)
def test_hyphens_are_replaced_in_names_only(given: str, expected: str) -> None:
    assert normalized_flag(given) == expected


def test_help_is_asked_for_in_several_spellings() -> None:
    assert all(asks_for_help(["x", spelling]) for spelling in ("--help", "-h", "-help"))
    assert not asks_for_help(["help", "--helpful"])


def test_data_root_is_the_flag_or_the_variable_or_a_folder_here(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)

    def _data_root(*arguments: str) -> pathlib.Path:
        values = flags.FlagValues()
        define_data_root(values)
        values(["command", *arguments])
        return data_root_of(values)

    monkeypatch.setenv("DATA_ROOT", "/data")
    assert _data_root("--data_root=mine") == tmp_path / "mine"
    assert _data_root() == pathlib.Path("/data")
    monkeypatch.setenv("DATA_ROOT", "")
    with caplog.at_level("INFO", logger="metrabs.command"):
        assert _data_root() == tmp_path / "metrabs_data"
    assert f"'{tmp_path}/metrabs_data'" in caplog.text


@dataclasses.dataclass(frozen=True)
class _ToolSettings:
    """Settings of a command."""

    inputs: tuple[str, ...] = ()
    output: str = setting(None, "the output, which must be given")
    model: Optional[str] = setting(None, "a model")
    count: int = setting(1, "how many", at_least=1)


def _run_tool(*arguments: str, positional: str = "") -> tuple[int, list[_ToolSettings]]:
    seen: list[_ToolSettings] = []
    code = run_tool(
        "Usage text.", _ToolSettings, seen.append, arguments, positional, {"out": "output"}
    )
    return code, seen


def test_the_settings_of_a_tool_are_its_flags() -> None:
    expected = _ToolSettings((), "x", "m", 3)
    assert _run_tool("--out=x", "--model=m", "--count=3") == (0, [expected])


def test_positional_arguments_go_to_the_named_setting(capsys: pytest.CaptureFixture[str]) -> None:
    code, seen = _run_tool("a", "b", "--output=x", positional="inputs")
    assert code == 0 and seen[0].inputs == ("a", "b")
    assert _run_tool("a", "--output=x") == (1, [])
    assert "'a' is not a flag" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [([], "Give --output"), (["--output=x", "--count=0"], "'count' must be at least 1")],
)
def test_a_tool_is_not_run_with_missing_or_invalid_settings(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run_tool(*arguments) == (1, [])
    assert message in capsys.readouterr().err


def test_a_tool_chooses_its_exit_code_and_message_after_an_interruption(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(settings: _ToolSettings) -> None:
        raise KeyboardInterrupt

    arguments = ["--output=x"]
    assert run_tool("Usage.", _ToolSettings, lambda settings: 3, arguments) == 3
    assert run_tool("Usage.", _ToolSettings, interrupt, arguments, interrupted="Stopped.") == 130
    assert capsys.readouterr().err == "error: Stopped.\n"


def test_data_folders_are_settings(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_ROOT", "/data")
    monkeypatch.setenv("CACHE_DIR", "/caches")
    monkeypatch.chdir(tmp_path)
    folders = DataFolderSettings().folders()
    assert (folders.root, folders.cache) == (pathlib.Path("/data"), pathlib.Path("/caches"))
    folders = DataFolderSettings("mine", "my_caches").folders()
    assert (folders.root, folders.cache) == (tmp_path / "mine", tmp_path / "my_caches")


def test_a_reader_that_stops_early_is_not_an_error() -> None:
    command = f"{sys.executable} -m metrabs train --help | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout and not done.stderr


def test_a_full_disk_is_one_line(capsys):
    def fail():
        with open("/dev/full", "wb", buffering=0) as file:
            file.write(b"content")

    assert exit_code_of(fail) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: A file cannot be read or written: No space left on device. Files that were "
        "complete are unchanged. Free disk space or check the permissions, then run again."
    ]


def test_other_errors_of_the_system_are_not_hidden():
    def fail():
        raise OSError(errno.EINVAL, "Invalid argument")

    with pytest.raises(OSError, match="Invalid argument"):
        exit_code_of(fail)
