"""The page of all flags is up to date and complete."""

from __future__ import annotations

import importlib.util
import pathlib
import types

import pytest

from metrabs.config import all_settings
from metrabs.original_flags import OBSOLETE_FLAGS

_SCRIPT = pathlib.Path(__file__).parent.parent / "docs" / "reference" / "flags.py"


@pytest.fixture(scope="module")
def script() -> types.ModuleType:
    """The script that writes the page; docs are no package."""
    spec = importlib.util.spec_from_file_location("flags_page", _SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(script: types.ModuleType) -> None:
    message = "Settings have changed. Run `python -m docs.reference.flags` in the top folder."
    assert script.PAGE.read_text() == script.page(), message


def test_every_flag_has_one_row(script: types.ModuleType) -> None:
    lines = script.page().splitlines()
    names = [field.name for _, field, _ in all_settings()] + [f.name for f in OBSOLETE_FLAGS]
    for name in names:
        rows = [line for line in lines if line.startswith((f"| `--{name}=", f"| `--{name}`"))]
        assert len(rows) == 1, name


def test_all_rows_of_a_table_have_its_columns(script: types.ModuleType) -> None:
    lines = script.page().splitlines()
    num_tables, num_bars = 0, 0
    for before, line in zip(lines, lines[1:]):
        if line.startswith("|---"):
            num_tables, num_bars = num_tables + 1, line.count("|")
            assert before.count("|") == num_bars
        elif line.startswith("|") and before.startswith("|"):
            assert line.replace("\\|", "").count("|") == num_bars, line
    assert num_tables == 8
