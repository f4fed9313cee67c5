"""The pages of the documentation and what can be read from them: links, code, commands."""

from __future__ import annotations

import functools
import pathlib
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [
        ROOT / "README.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
    ]
)
FLAG_FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "flags").rglob("*.flags"))
GENERATED = "docs/reference/flags.md"

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# A program whose name is left open, as in `ckpt_tools.<command>`, is none.
_COMMAND = re.compile(r"python3? (?:-m )?([\w.{},]+)(?<![.,])(?![\w.<])([^\n]*)")
_OTHER_PROGRAMS = ("pip", "pytest", "venv")
_END_OF_COMMAND = re.compile(r"&&|\|\||[;)'`]|\s[#&>|]")


class Command(NamedTuple):
    """A call of one of our programs.

    Attributes:
        program: 'main.py', or the module after `python -m`.
        arguments: what follows.
    """

    program: str
    arguments: list[str]


@functools.cache
def text_of(page: str) -> str:
    """Returns the text of a page; of a flag file, its comments."""
    text = (ROOT / page).read_text(encoding="utf-8")
    if page.endswith(".flags"):
        return "\n".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    return text


def code_blocks(page: str, language: str = "") -> list[str]:
    """Returns the blocks of code of a page, of one language or of all."""
    return [
        textwrap.dedent(code)
        for kind, code in _FENCE.findall(text_of(page))
        if language in ("", kind)
    ]


def prose_of(page: str) -> str:
    """Returns a page without its blocks of code."""
    return _FENCE.sub("", text_of(page))


def code_spans(page: str) -> list[str]:
    """Returns what stands between single backticks."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose_of(page))]


def links_of(page: str) -> list[str]:
    """Returns the targets of links and pictures that are not on other sites."""
    links = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def anchors_of(page: str) -> set[str]:
    """Returns the names by which the headings of a page are linked."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_of(page: str) -> Iterator[Command]:
    """Yields the calls of our programs in a page, in blocks and within sentences."""
    text = re.sub(r"\\\n\s*", " ", text_of(page))
    for program, rest in _COMMAND.findall(text):
        arguments = _END_OF_COMMAND.split(rest)[0].split()
        for name in _alternatives(program):
            if name not in _OTHER_PROGRAMS:
                yield Command(name, arguments)


def _alternatives(name: str) -> list[str]:
    """Expands 'a.{b,c}' to 'a.b' and 'a.c'."""
    start, brace, rest = name.partition("{")
    return [start + middle for middle in rest.rstrip("}").split(",")] if brace else [name]
