"""Generates one page of the API reference for every public module, while the site is built."""

from __future__ import annotations

import pathlib

import mkdocs_gen_files

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_PACKAGES = ("metrabs", "data_preparation", "ckpt_tools")


def _modules() -> list[str]:
    """Returns the dotted names of all public modules, sorted."""
    names = []
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            parts = path.relative_to(_ROOT).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if not any(part.startswith("_") for part in parts):
                names.append(".".join(parts))
    return names


def main() -> None:
    """Writes the pages and their table of contents."""
    summary = mkdocs_gen_files.Nav()
    for name in _modules():
        has_children = (_ROOT / name.replace(".", "/")).is_dir()
        page = name.replace(".", "/") + ("/index.md" if has_children else ".md")
        summary[tuple(name.split("."))] = page
        with mkdocs_gen_files.open(f"api/{page}", "w") as file:
            file.write(f"# `{name}`\n\n::: {name}\n    options:\n      show_root_heading: false\n")
    with mkdocs_gen_files.open("api/SUMMARY.md", "w") as file:
        file.writelines(summary.build_literate_nav())


main()
