"""Links of pages to files outside `docs`, which a site does not contain, become plain code."""

from __future__ import annotations

import pathlib
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_DOCS = pathlib.Path(__file__).resolve().parent.parent


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Replaces such links by their text; MkDocs calls this for every page.

    Args:
        markdown: Source of the page.
        page: The MkDocs page.

    Returns:
        The changed source.
    """
    folder = (_DOCS / page.file.src_uri).parent

    def without_outside_link(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        if "://" in target or target.startswith("mailto:"):
            return match.group(0)
        path = (folder / target).resolve()
        if path.is_dir() and _DOCS in path.parents:
            return f"[{text}]({target.rstrip('/')}/README.md{anchor or ''})"
        return match.group(0) if _DOCS in path.parents else text

    return _LINK.sub(without_outside_link, markdown)
