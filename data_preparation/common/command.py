"""The command line of the converters: flags made from their settings, running, listing."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any, Optional

from absl import flags

from data_preparation.common.converter import Converter, missing_downloads
from data_preparation.common.run import Report, prepare
from data_preparation.common.workbench import Setup
from metrabs.command import data_root_of, define_data_root
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError

_SETUP_HELP = {
    "detections": "file or folder of precomputed person detections; default: the usual place",
    "detector": "person detector for images without them: 'efficientdet', the folder of a "
                "SavedModel, or package.module:function",
    "masks": "file or folder of precomputed person masks of the crops; default: the folder "
             "'masks' beside the crops, if there is one",
    "segmenter": "person segmenter to run on the crops: the folder of a SavedModel, or "
                 "package.module:function",
    "strict": "missing detections or masks and unreadable sequences are errors",
}


def define_flags(values: flags.FlagValues, converter: Optional[type[Converter]] = None) -> None:
    """Declares the flags that all datasets share, and those of a converter's settings.

    Args:
        values: where to declare them.
        converter: default: none.
    """
    add: dict[str, Any] = dict(flag_values=values)
    define_data_root(values)
    flags.DEFINE_string("cache_dir", os.environ.get("CACHE_DIR"),
                        "folder of cache files; default: $CACHE_DIR or cache in the data root",
                        **add)
    flags.DEFINE_integer("workers", None, "processes; default: one per processor, at most 12; "
                         "0: this process alone", **add)
    flags.DEFINE_string("dask_scheduler", "", "address of a Dask cluster to use in place of "
                        "processes of this machine", **add)
    flags.DEFINE_bool("list", False, "list the datasets and what is on the disk", **add)
    for field in dataclasses.fields(Setup):
        if field.name in _SETUP_HELP:
            _define(values, field.name, field.default, _SETUP_HELP[field.name])
    if converter is not None:
        for field in dataclasses.fields(converter):
            _define(values, field.name, field.default, field.metadata["help"])


def run_converter(converter_class: type[Converter], values: flags.FlagValues) -> Report:
    """Prepares a dataset as parsed flags say.

    Raises:
        UserError: see `data_preparation.common.run.prepare`.
    """
    settings = {
        field.name: _typed(getattr(values, field.name), field.name, field.default)
        for field in dataclasses.fields(converter_class)
    }
    common = {name: getattr(values, name) for name in _SETUP_HELP}
    data_root = data_root_of(values)
    setup = Setup(data_root=str(data_root), **common)
    return prepare(
        converter_class(**settings), setup, _cache_dir(values), values.workers,
        values.dask_scheduler,
    )


def list_datasets(
    converters: dict[str, Callable[[], type[Converter]]], values: flags.FlagValues
) -> str:
    """Returns a table of the datasets: name, title, state of the download, what was made."""
    data_root, cache_dir = data_root_of(values), _cache_dir(values)
    rows = [("name", "dataset", "download", "output")]
    for name, load in sorted(converters.items()):
        converter = load()()
        rows.append((name, converter.TITLE, _download_state(converter, data_root),
                     _output_state(converter, cache_dir)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def _download_state(converter: Converter, data_root: pathlib.Path) -> str:
    missing = missing_downloads(converter, data_root)
    if not missing:
        return "complete"
    if len(missing) == len(converter.downloads()):
        return "not there"
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"lacks {missing[0].pattern}{others}"


def _output_state(converter: Converter, cache_dir: pathlib.Path) -> str:
    states = []
    for name in converter.caches():
        path = cache_dir / f"{name}.pkl"
        if path.exists():
            dataset = open_cache(path)
            count = len(dataset.train) + len(dataset.valid) + len(dataset.test)
            states.append(f"{path} ({count} examples)")
    return ", ".join(states) or "-"


def _cache_dir(values: flags.FlagValues) -> pathlib.Path:
    return pathlib.Path(values.cache_dir or data_root_of(values) / "cache").absolute()


def _define(values: flags.FlagValues, name: str, default: Any, help_text: str) -> None:
    """Declares a flag of the type of its default."""
    kinds: dict[type, Callable[..., Any]] = {
        bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float,
        str: flags.DEFINE_string, tuple: flags.DEFINE_list,
    }
    text = ",".join(str(item) for item in default) if isinstance(default, tuple) else default
    kinds[type(default)](name, text, help_text, flag_values=values)


def _typed(value: Any, name: str, default: Any) -> Any:
    """Returns a flag's value as the setting wants it: lists become tuples of the right type."""
    if not isinstance(default, tuple):
        return value
    item_type = type(default[0]) if default else str
    try:
        return tuple(item_type(item) for item in value)
    except ValueError as error:
        raise UserError(
            f"--{name} takes {item_type.__name__}s separated by commas, got '{','.join(value)}'."
        ) from error
