"""The source files of this repository and what they import, read from their syntax trees."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = ("metrabs", "data_preparation", "ckpt_tools", "benchmarks")

_MODULE_IN_STRING = re.compile(r"((?:metrabs|data_preparation|ckpt_tools)(?:\.\w+)+)(?::\w+)?")


@functools.cache
def modules() -> dict[str, pathlib.Path]:
    """Returns all modules by dotted name; a package has the name of its folder."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports_of(module: str) -> set[str]:
    """Returns the modules of this repository that a module imports, inside functions as well."""
    return set(_imports(_tree(module))) - {module}


def strings_naming_modules(module: str) -> set[str]:
    """Returns the modules that a module names in strings, as tables of lazy imports do."""
    strings = (
        node.value
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    matches = filter(None, map(_MODULE_IN_STRING.fullmatch, strings))
    return {match[1] for match in matches if match[1] in modules()} - {module}


def is_command(module: str) -> bool:
    """Returns whether a module is a program, such as `python -m metrabs.predict`."""
    return any(
        isinstance(node, ast.If) and "__name__" in ast.dump(node.test)
        for node in _tree(module).body
    )


def defines_something(module: str) -> bool:
    """Returns whether a module defines functions or classes, unlike tables and most packages."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return any(isinstance(node, kinds) for node in _tree(module).body)


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Returns the nodes of some cycle in a directed graph, or an empty list."""
    finished: set[str] = set()
    path: list[str] = []

    def visit(node: str) -> list[str]:
        if node in path:
            return path[path.index(node) :]
        if node in finished:
            return []
        path.append(node)
        for successor in sorted(graph.get(node, ())):
            if cycle := visit(successor):
                return cycle
        finished.add(path.pop())
        return []

    return next(filter(None, map(visit, sorted(graph))), [])


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules())
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                if submodule in modules():
                    yield submodule
                elif node.module in modules():
                    yield node.module
