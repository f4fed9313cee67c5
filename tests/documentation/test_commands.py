"""Every program, flag, make target and name in code that the documentation mentions exists."""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.util
import io
import pkgutil
import re
import runpy
import warnings
from collections.abc import Iterator
from typing import Optional
from unittest import mock

import pytest
from absl.flags import FlagValues

import ckpt_tools
from data_preparation.registry import converters
from metrabs.__main__ import COMMAND_GROUPS
from metrabs.__main__ import main as run_metrabs
from metrabs.cli import help_text, parse_flags
from metrabs.evaluation.benchmarks.registry import BENCHMARKS
from metrabs.reproduction.__main__ import define_flags
from tests.documentation.pages import (
    FLAG_FILES,
    GENERATED,
    PAGES,
    ROOT,
    Command,
    code_blocks,
    code_spans,
    commands_of,
    text_of,
)

_WRITTEN_PAGES = [page for page in PAGES if page != GENERATED]
_TOOLS = {m.name for m in pkgutil.iter_modules(ckpt_tools.__path__) if not m.ispkg}
# Programs whose first word chooses the flags.
_NAMES = {"data_preparation": [*converters()], "metrabs.evaluation": [*BENCHMARKS, "poster-table"]}
_WITHOUT_FLAGS = "docs.reference.flags"
_OF_PYTEST = {"golden_dir"}


def _commands(program: Optional[str] = None) -> Iterator[tuple[str, Command]]:
    for page in PAGES + FLAG_FILES:
        for command in commands_of(page):
            if program in (None, command.program):
                yield page, command


_MODULES = sorted(
    {command.program for _, command in _commands() if not command.program.endswith(".py")}
    - {_WITHOUT_FLAGS}
)


@functools.cache
def _flags_of(module: str, name: Optional[str] = None) -> frozenset[str]:
    """Runs a program with --help, within this process, and returns the flags it lists."""
    arguments = [module, *[name] * bool(name), "--help"]
    text = io.StringIO()
    with warnings.catch_warnings(), mock.patch("sys.argv", arguments):
        warnings.simplefilter("ignore")  # that the module has been imported before
        with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as end:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert not end.value.code, module
    return _flags_in(text.getvalue())


def _flags_in(help_page: str) -> frozenset[str]:
    return frozenset(re.findall(r"^ *--(?:\[no\])?(\w+)", help_page, re.MULTILINE))


def _unknown(words: list[str], known: frozenset[str]) -> list[str]:
    """Returns which of the flags among some words are not known."""
    flags = [
        word.strip("[]")[2:].partition("=")[0].replace("-", "_")
        for word in words
        if word.strip("[").startswith("--")
    ]
    names = known | {"help"} | {f"no{flag}" for flag in known}
    return [flag for flag in flags if flag not in names]


def test_programs_that_are_called_exist() -> None:
    for page, command in _commands():
        name = command.program
        is_there = (ROOT / name).is_file() if name.endswith(".py") else _is_module(name)
        assert is_there, (page, command)


def test_calls_of_the_main_program_have_flags_and_values_that_it_knows() -> None:
    for page, command in _commands("main.py"):
        flags = [argument for argument in command.arguments if argument.startswith("--")]
        assert parse_flags([f for f in flags if not f.startswith(("--flagfile", "--help"))]), page


def test_calls_of_reproduce_have_flags_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # flag files name others relative to the top folder
    for page, command in _commands("reproduce.py"):
        given = [argument.strip("[]") for argument in command.arguments]
        values = FlagValues()
        define_flags(values)
        assert values(["reproduce.py", *given]), page


@pytest.mark.parametrize("module", _MODULES)
def test_calls_of_other_programs_have_flags_that_they_know(module: str) -> None:
    for page, command in _commands(module):
        first = command.arguments[0] if command.arguments else ""
        known = _flags_of(module, first if first in _NAMES.get(module, []) else None)
        assert not _unknown(command.arguments, known), (page, command)


def _calls_of_metrabs() -> Iterator[tuple[str, str, list[str]]]:
    """Yields page, command and arguments of calls of the console script."""
    for page in PAGES:
        spans = [span for span in code_spans(page) if span.startswith("metrabs ")]
        text = re.sub(r"\\\n\s*", " ", "\n".join([*code_blocks(page, "sh"), *spans]))
        for name, rest in re.findall(r"^metrabs ([a-z][a-z-]*)([^\n#]*)", text, re.MULTILINE):
            yield page, name, rest.split()


@functools.cache
def _flags_of_metrabs(name: str, first: Optional[str]) -> frozenset[str]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert run_metrabs([name, *([first] if first else []), "--help"]) == 0, name
    return _flags_in(text.getvalue())


def test_calls_of_the_console_script_have_commands_and_flags_that_exist() -> None:
    calls = list(_calls_of_metrabs())
    assert calls
    known_commands = {name for group in COMMAND_GROUPS.values() for name in group}
    for page, name, arguments in calls:
        assert name in known_commands, (page, name)
        has_flags_by_word = name in ("prepare", "evaluate") and arguments
        first = arguments[0] if has_flags_by_word and arguments[0].isidentifier() else None
        assert not _unknown(arguments, _flags_of_metrabs(name, first)), (page, name, arguments)


def test_flags_that_are_mentioned_belong_to_some_program() -> None:
    known = _flags_in(help_text()) | {"dataset", "flagfile", "file"} | _OF_PYTEST
    for module in {*_MODULES, *(f"ckpt_tools.{tool}" for tool in _TOOLS)}:
        for name in [None, *_NAMES.get(module, [])]:
            known |= _flags_of(module, name)
    for page in _WRITTEN_PAGES:
        for span in code_spans(page):
            assert not (span.startswith("--") and _unknown(span.split(), known)), (page, span)


def test_flag_files_that_are_named_are_there() -> None:
    for page in PAGES + FLAG_FILES:
        for path in re.findall(r"flags/[\w/]+\.flags", text_of(page)):
            assert (ROOT / path).is_file(), (page, path)


def test_targets_of_make_that_are_mentioned_exist_and_are_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))
    for page in PAGES + FLAG_FILES:
        code = [*code_blocks(page), *code_spans(page)] if page in PAGES else [text_of(page)]
        calls = re.findall(r"^(?:# )?(?:Command: +)?make ([\w -]+)", "\n".join(code), re.MULTILINE)
        for target in [word for call in calls for word in call.partition("  ")[0].split()[:1]]:
            assert target in targets, (page, target)
    for target in targets - {"clean"}:
        assert re.search(rf"make {target}\b", makefile), target


def test_all_tools_for_models_are_in_their_table() -> None:
    table, _, _ = text_of("docs/reference/ckpt_tools.md").partition("\n## ")
    assert set(re.findall(r"^\| `(\w+)", table, re.MULTILINE)) == _TOOLS


def test_names_of_the_library_that_are_mentioned_exist() -> None:
    for page in _WRITTEN_PAGES:
        for span in code_spans(page):
            name = span.partition("(")[0]
            if re.fullmatch(r"(metrabs|data_preparation|ckpt_tools|benchmarks)(\.\w+)+", name):
                assert _is_module(name) or _is_attribute(name), (page, span)


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _is_attribute(name: str) -> bool:
    owner, _, last = name.rpartition(".")
    return _is_module(owner) and hasattr(importlib.import_module(owner), last)
