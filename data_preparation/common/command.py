"""The command line of the converters: flags from settings, running, listing."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Optional

from absl import flags

from data_preparation.common.converter import Converter, missing_downloads
from data_preparation.common.run import Report, prepare
from data_preparation.common.setup import Setup
from metrabs import settings
from metrabs.command import data_root_of, define_data_root
from metrabs.data.storage.cache import open_cache
from metrabs.folders import DataFolders
from metrabs.settings import from_flags, setting


@dataclasses.dataclass(frozen=True)
class Execution:
    """Where and how a conversion runs, without influence on the examples."""

    cache_dir: Optional[str] = setting(
        None, "folder of cache files; default: $CACHE_DIR, else cache in the data root"
    )
    workers: Optional[int] = setting(
        None,
        "number of processes; default: one per CPU core, at most 12; 0: this process alone",
        at_least=0,
    )
    dask_scheduler: str = setting(
        "", "address of a Dask cluster to use instead of processes on this machine"
    )
    replace: bool = setting(
        False, "replace cache files even if they hold more examples than the new ones"
    )
    list: bool = setting(False, "list the datasets and what is on disk")


def define_flags(values: flags.FlagValues, converter: Optional[type[Converter]] = None) -> None:
    """Declares the flags that all datasets share, and those of a converter's settings.

    Args:
        values: Where to declare them.
        converter: Class of the converter; default: none.
    """
    define_data_root(values)
    for settings_class in (Execution, Setup, *([converter] if converter else [])):
        settings.define_flags(values, settings_class)


def run_converter(converter_class: type[Converter], values: flags.FlagValues) -> Report:
    """Prepares a dataset as parsed flags say.

    Raises:
        UserError: see `data_preparation.common.run.prepare`.
    """
    execution = from_flags(values, Execution)
    return prepare(
        from_flags(values, converter_class),
        from_flags(values, Setup, data_root=str(data_root_of(values))),
        _cache_dir(values),
        execution.workers,
        execution.dask_scheduler,
        execution.replace,
    )


def list_datasets(
    converters: dict[str, Callable[[], type[Converter]]], values: flags.FlagValues
) -> str:
    """Returns a table of the datasets: name, title, state of the download, cache files."""
    data_root, cache_dir = data_root_of(values), _cache_dir(values)
    rows = [("name", "dataset", "download", "output")]
    for name, load in sorted(converters.items()):
        converter = load()()
        rows.append(
            (
                name,
                converter.TITLE,
                _download_state(converter, data_root),
                _output_state(converter, cache_dir),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def _download_state(converter: Converter, data_root: pathlib.Path) -> str:
    missing = missing_downloads(converter, data_root)
    if not missing:
        return "complete"
    if len(missing) == len(converter.downloads()):
        return "not found"
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"missing: {missing[0].pattern}{others}"


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
    return DataFolders.at(data_root_of(values), values.cache_dir).cache
