"""Generates docs/reference/flags.md from the settings, so that the page is never out of date.

Run it with `python -m docs.reference.flags` from the top folder.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from metrabs.config import Config, all_settings
from metrabs.original_flags import OBSOLETE_FLAGS
from metrabs.settings import bounds_text, value_type

PAGE = pathlib.Path(__file__).with_suffix(".md")
_COMMAND = "python -m docs.reference.flags"
_INTRODUCTION = f"""# All flags of `main.py`

This page is generated from the settings in the code by `{_COMMAND}`.

- `--some-flag` and `--some_flag` are the same. A bool is switched on by `--x`, off by `--nox` or
  `--no-x`. `--dataset` means `--dataset3d`.
- `--flagfile=FILE` reads flags from a file, one per line, as on the command line; lines that
  start with `#` are comments, and a file may include others by `--flagfile`. `--file=FILE` reads
  flags written without the leading dashes. Later flags override earlier ones.
- Paths of runs are relative to the folder `experiments` in the data root, which is `--data_root`,
  else the environment variable DATA_ROOT, else the folder `metrabs_data` in the working folder.
- `--predict` and `--export_file` take all settings that are not given from the checkpoint.

## Tasks

| flag | meaning |
|---|---|
| `--train` | train a model, or resume its training |
| `--predict` | predict poses with a trained model |
| `--export_file=FOLDER` | write the trained model as a SavedModel, relative to its checkpoint |
"""


def page() -> str:
    """Returns the page as Markdown."""
    sections = [_INTRODUCTION]
    for group in dataclasses.fields(Config):
        settings = [(field, kind) for name, field, kind in all_settings() if name == group.name]
        title = (type(getattr(Config(), group.name)).__doc__ or "").strip().rstrip(".")
        rows = [_row(field, kind) for field, kind in settings]
        sections.append(_table(title, ("flag", "default", "unit or values", "meaning"), rows))
    rows = [(f"`--{flag.name}`", _value(flag.default), flag.reason) for flag in OBSOLETE_FLAGS]
    sections.append(
        _table(
            "Flags of the original implementation that have no effect",
            ("flag", "accepted value", "why, and what to do"),
            [
                (name, value if flag.is_refused else "any", reason)
                for (name, value, reason), flag in zip(rows, OBSOLETE_FLAGS)
            ],
        )
    )
    return "\n".join(sections)


def _row(field: dataclasses.Field[Any], kind: Any) -> tuple[str, ...]:
    choices = ", ".join(f"`{choice}`" for choice in field.metadata["choices"] or ())
    is_bool = value_type(kind) is bool
    flag = f"`--{field.name}`" if is_bool else f"`--{field.name}={value_type(kind).__name__}`"
    values = ", ".join(filter(None, [choices, field.metadata["unit"], bounds_text(field)]))
    return flag, _value(field.default), values, field.metadata["help"]


def _value(default: Any) -> str:
    if isinstance(default, bool):
        return "on" if default else "off"
    return "" if default in (None, "") else f"`{default}`"


def _table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [f"## {title}", "", _line(columns), "|" + "---|" * len(columns)]
    return "\n".join(lines + [_line(row) for row in rows]) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(c.replace("|", "\\|").replace("<", "&lt;") for c in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page())
