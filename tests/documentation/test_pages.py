"""Pages link to what is there, can be found from the index, and are laid out alike."""

from __future__ import annotations

import ast
import json
import pathlib
import re
from collections.abc import Callable

import pytest

from data_preparation.registry import converters
from tests.documentation.pages import (
    GENERATED,
    PAGES,
    ROOT,
    anchors_of,
    code_blocks,
    code_spans,
    links_of,
    prose_of,
)

_FOLDERS = (
    "metrabs",
    "data_preparation",
    "ckpt_tools",
    "benchmarks",
    "tests",
    "docs",
    "flags",
    "examples",
)
_OTHER_COMMANDS = {"pascal_voc", "inria_holidays"}  # have pages, but are no pose datasets


def _violations(check: Callable[[str, str], bool], items: Callable[[str], list[str]]) -> list[str]:
    return [f"{page}: {item}" for page in PAGES for item in items(page) if not check(page, item)]


def _target(page: str, link: str) -> pathlib.Path:
    path = link.partition("#")[0]
    return ((ROOT / page).parent / path if path else ROOT / page).resolve()


def test_links_lead_to_files_that_are_there() -> None:
    assert not _violations(lambda page, link: _target(page, link).exists(), links_of)


def test_links_into_pages_lead_to_headings_that_are_there() -> None:
    def leads_to_heading(page: str, link: str) -> bool:
        _, has_anchor, anchor = link.partition("#")
        target = _target(page, link).relative_to(ROOT.resolve())
        return not has_anchor or anchor in anchors_of(str(target))

    assert not _violations(leads_to_heading, links_of)


def test_files_of_this_repository_that_are_named_are_there() -> None:
    def is_there(page: str, span: str) -> bool:
        is_path = re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", span) and span.split("/")[0] in _FOLDERS
        return not is_path or (ROOT / span).exists()

    assert not _violations(is_there, code_spans)


def test_every_page_can_be_found_from_the_index() -> None:
    indices = ("docs/README.md", "docs/prepare/README.md")
    linked = {_target(index, link) for index in indices for link in links_of(index)}
    for page in set(PAGES) - {indices[0]}:
        assert not page.startswith("docs/") or (ROOT / page).resolve() in linked, page


def test_every_converter_has_a_page_and_every_page_a_converter() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "prepare").glob("*.md")} - {"README"}
    assert pages == {*converters()} | _OTHER_COMMANDS


@pytest.mark.parametrize("page", PAGES)
def test_examples_in_python_and_json_can_be_read(page: str) -> None:
    for code in code_blocks(page, "python"):
        ast.parse(code)
    for code in code_blocks(page, "json"):
        is_one_object_a_line = code.startswith("{") and code.splitlines()[0].endswith("}")
        for text in code.splitlines() if is_one_object_a_line else [code]:
            json.loads(text)


def test_sentences_are_wrapped() -> None:
    def is_short(page: str, line: str) -> bool:
        return len(line) <= 105 or line.startswith(("|", "![")) or page == GENERATED

    assert not _violations(is_short, lambda page: prose_of(page).splitlines())
