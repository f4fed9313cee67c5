"""Each golden file is read by a test."""

from __future__ import annotations

import ast
import pathlib

import pytest

_TESTS = pathlib.Path(__file__).parents[1]


def _strings_in(path: pathlib.Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {str(n.value) for n in nodes if isinstance(n, ast.Constant)}


def test_each_golden_file_is_named_by_a_test(request: pytest.FixtureRequest) -> None:
    folder = pathlib.Path(request.config.getoption("--golden_dir"))
    files = {path.stem for path in folder.glob("*.npz")}
    named = set().union(*map(_strings_in, _TESTS.rglob("test_*.py")))
    assert files and files <= named, f"read by no test: {sorted(files - named)}"
