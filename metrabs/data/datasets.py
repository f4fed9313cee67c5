"""Where data lives: finding datasets by name and images by path.

The environment variable DATA_ROOT names the folder of all data; image paths are relative to it.
Cache files of datasets are in CACHE_DIR, by default the folder `cache` of the data root.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError

_makers: dict[str, Callable[[], object]] = {}


def data_root() -> pathlib.Path:
    """Returns the folder of all data.

    Raises:
        UserError: the environment variable DATA_ROOT is not set.
    """
    root = os.environ.get("DATA_ROOT")
    if not root:
        raise UserError(
            "The environment variable DATA_ROOT is not set. Set it to the folder that holds your "
            "data and experiments, for example: export DATA_ROOT=$PWD/metrabs_data, which is what "
            "main.py takes without it."
        )
    return pathlib.Path(root)


def cache_dir() -> pathlib.Path:
    """Returns the folder of the datasets' cache files: CACHE_DIR or `cache` in the data root."""
    folder = os.environ.get("CACHE_DIR")
    return pathlib.Path(folder) if folder else data_root() / "cache"


def resolve_image_path(image_path: str) -> str:
    """Returns the absolute path of an image whose path is relative to the data root.

    Args:
        image_path: as stored in an example; an absolute path is returned as it is.
    """
    return image_path if os.path.isabs(image_path) else str(data_root() / image_path)


def cache_path(name_or_path: str) -> pathlib.Path:
    """Returns where the cache file of a dataset is, or would be.

    Args:
        name_or_path: a name such as 'huge8' (a file in the cache folder) or the path of a file,
            recognised by its ending `.pkl`. A path without a folder part that is not in the
            working folder is looked up in the cache folder.
    """
    if not name_or_path.endswith(".pkl"):
        return cache_dir() / f"{name_or_path}.pkl"
    path = pathlib.Path(name_or_path)
    if path.name == name_or_path and not path.exists():
        return cache_dir() / path
    return path


def register_maker(name: str, make: Callable[[], object]) -> None:
    """Tells how a dataset is made that can be made on the spot.

    Args:
        name: of the dataset.
        make: called when it is opened and has no cache file; writes the file.
    """
    _makers[name] = make


def open_dataset(name_or_path: str) -> PoseDataset:
    """Opens a dataset by its name or by the path of its cache file.

    Raises:
        UserError: there is no such file, or it is not a usable cache file.
    """
    path = cache_path(name_or_path)
    if not path.exists() and name_or_path in _makers:
        _makers[name_or_path]()
    if not path.exists():
        present = sorted(file.stem for file in path.parent.glob("*.pkl"))
        raise UserError(
            f"Dataset '{name_or_path}' has no cache file at '{path}'. Present there: "
            f"{', '.join(present) if present else 'none'}. Prepare it with `python -m "
            "data_preparation` (the built-in sets: data_preparation.synthetic), or give the path "
            "of a cache file."
        )
    return open_cache(path)
