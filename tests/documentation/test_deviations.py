"""The page of deviations and the comments in the code agree."""

from __future__ import annotations

import re

from tests.documentation.pages import ROOT, text_of

_PAGE = "docs/explanation/deviations.md"
_SOURCES = ("metrabs", "data_preparation", "ckpt_tools")


def _files_with_comments() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for folder in _SOURCES
        for path in (ROOT / folder).rglob("*.py")
        if "Deviation:" in path.read_text(encoding="utf-8")
    }


def _rows() -> list[list[str]]:
    lines = [line for line in text_of(_PAGE).splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in rows if row[0] != "point"]


def test_every_row_has_all_columns() -> None:
    assert all(len(row) == 5 and all(row) for row in _rows())


def test_every_deviation_in_the_code_is_on_the_page_and_the_other_way_round() -> None:
    on_page = {path for row in _rows() for path in re.findall(r"`([\w/]+\.py)`", row[-1])}
    assert on_page == _files_with_comments()


def test_what_changes_numbers_comes_first() -> None:
    first_section = text_of(_PAGE).split("\n## ")[1]
    assert first_section.startswith("What changes numbers")
    assert first_section.count("\n| ") == 1 + 11  # heading and rows
