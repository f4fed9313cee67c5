"""The command `metrabs`: its table, its help, and that each command is found from anywhere."""

from __future__ import annotations

import importlib
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest

import metrabs
from metrabs.__main__ import COMMAND_GROUPS, COMMANDS, help_text, main

_ROOT = pathlib.Path(__file__).parents[1]


def test_help_fits_on_a_screen_and_lists_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["--help"], ["-h"], ["help"]):
        assert main(arguments) == 0
        assert capsys.readouterr().out == help_text() + "\n"
    lines = help_text().splitlines()
    assert len(lines) <= 40 and max(map(len, lines)) < 100
    for name, command in COMMANDS.items():
        assert any(line.split()[:1] == [name] and command.summary in line for line in lines)


def test_names_of_commands_are_unique() -> None:
    assert sum(map(len, COMMAND_GROUPS.values())) == len(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "--" in capsys.readouterr().out


def test_a_command_gets_its_arguments_and_gives_its_exit_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Sequence[str]] = []

    def run(arguments: Sequence[str]) -> int:
        seen.append(arguments)
        return 7

    monkeypatch.setattr("metrabs.cli.train", run)
    assert main(["train", "--batch_size=3", "x"]) == 7
    assert seen == [["--batch_size=3", "x"]]


def test_an_unknown_command_is_one_line_with_similar_names(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["trian", "--help"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "'trian'. Did you mean train?" in error
    assert main(["zzz"]) == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_places_of_commands_are_their_modules() -> None:
    for command in COMMANDS.values():
        module, _, function = command.place.partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"metrabs {metrabs.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["merge", "--help"]])
def test_runs_from_any_folder_without_tensorflow(
    arguments: list[str], tmp_path: pathlib.Path
) -> None:
    program = (
        "import sys\nfrom metrabs.__main__ import main\ncode = main()\n"
        "sys.exit(code or ('tensorflow' in sys.modules) * 99)"
    )
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "") and result.stdout


def test_all_packages_of_commands_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: dict[str, object] = {}
    monkeypatch.setattr("setuptools.setup", lambda **options: installed.update(options))
    monkeypatch.chdir(_ROOT)
    exec(compile((_ROOT / "setup.py").read_text(), "setup.py", "exec"), {"__file__": "setup.py"})
    packages = set(installed["packages"])  # type: ignore[call-overload]
    for package in ("metrabs", "data_preparation", "ckpt_tools"):
        for path in (_ROOT / package).rglob("__init__.py"):
            assert ".".join(path.parent.relative_to(_ROOT).parts) in packages
    assert installed["entry_points"] == {"console_scripts": ["metrabs=metrabs.__main__:main"]}
    assert installed["version"] == metrabs.__version__


def test_the_page_of_commands_is_complete() -> None:
    page = (_ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(.+?)` \| `(.+?)` \| (.+?) \|$", page, re.MULTILINE)
    assert [(name, summary) for name, _, summary in rows] == [
        (name, command.summary) for name, command in COMMANDS.items()
    ]
    for name, program, _ in rows:
        module = COMMANDS[name].place.partition(":")[0]
        if module.startswith(("data_preparation", "ckpt_tools", "metrabs.pre", "metrabs.eva")):
            assert program == f"python -m {module.removesuffix('.__main__')}"
        else:
            assert "main.py" in program or program == "reproduce.py"
