"""Opening datasets by name or by path, and building those that can be built on first use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Optional

from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from metrabs.folders import DataFolders

_builders: dict[str, Callable[[DataFolders], object]] = {}


def register_builder(name: str, build: Callable[[DataFolders], object]) -> None:
    """Registers a function that builds a dataset on first use.

    Args:
        name: Name of the dataset.
        build: Called when the dataset is opened and has no cache file; writes the file.
    """
    _builders[name] = build


def open_dataset(name_or_path: str, folders: Optional[DataFolders] = None) -> PoseDataset:
    """Opens a dataset by its name or by the path of its cache file.

    Args:
        name_or_path: See `DataFolders.cache_path`.
        folders: Where data are; default: as the environment says.

    Raises:
        UserError: There is no such file, or it is not a usable cache file.
    """
    folders = folders or DataFolders.at()
    path = folders.cache_path(name_or_path)
    if not path.exists() and name_or_path in _builders:
        _builders[name_or_path](folders)
    if not path.exists():
        present = sorted(file.stem for file in path.parent.glob("*.pkl"))
        raise UserError(
            f"Dataset '{name_or_path}' has no cache file at '{path}'. Present there: "
            f"{', '.join(present) if present else 'none'}. Prepare it with `python -m "
            "data_preparation` (the built-in sets: data_preparation.synthetic), or give the path "
            "of a cache file."
        )
    return open_cache(path)
