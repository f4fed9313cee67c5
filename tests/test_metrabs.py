"""The names that `metrabs` offers, and that importing it is cheap."""

from __future__ import annotations

import ast
import inspect
import pathlib
import subprocess
import sys

import pytest

import metrabs

_ROOT = pathlib.Path(__file__).parents[1]


def test_there_are_fewer_than_20_names_and_each_exists() -> None:
    assert len(metrabs.__all__) < 20
    for name in metrabs.__all__:
        assert inspect.isclass(getattr(metrabs, name)) or callable(getattr(metrabs, name)), name


def test_each_name_is_defined_where_the_table_says() -> None:
    assert sorted(metrabs.__all__) == sorted(metrabs._MODULES)
    tree = ast.parse(pathlib.Path(metrabs.__file__).read_text(encoding="utf-8"))
    for_type_checkers = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if node.module and node.module.startswith("metrabs")
    }
    assert for_type_checkers == metrabs._MODULES


def test_dir_lists_the_names_before_they_are_imported() -> None:
    program = "import metrabs; print(*dir(metrabs))"
    listed = _output_of(program).split()
    assert {*metrabs.__all__, "__version__"} <= set(listed)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="'metrabs' has no attribute 'load_modle'"):
        metrabs.load_modle  # noqa: B018
    assert not hasattr(metrabs, "no_such_name")


@pytest.mark.parametrize("name", ["__version__", "Camera", "Config", "JointInfo", "load_model"])
def test_names_that_do_not_need_tensorflow_do_not_import_it(name: str) -> None:
    program = f"import sys, metrabs; metrabs.{name}; print('tensorflow' in sys.modules)"
    assert _output_of(program) == "False"


def test_importing_the_package_imports_nothing_of_it() -> None:
    program = "import sys, metrabs; print([m for m in sys.modules if m.startswith('metrabs.')])"
    assert _output_of(program) == "[]"


def _output_of(program: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    return result.stdout.strip()
