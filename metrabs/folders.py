"""Where data and runs are: one value that is handed down, with a default from the environment.

Programs build a `DataFolders` from their settings and pass it on. A library function that is
called without one takes `DataFolders.at()`, and nothing else reads or sets these environment
variables: DATA_ROOT, the folder of all data, and CACHE_DIR, the folder of cache files.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Optional

from metrabs.files import PathLike

_DEFAULT_DATA_ROOT = "metrabs_data"  # in the working folder


@dataclasses.dataclass(frozen=True)
class DataFolders:
    """The folders of data and runs.

    Attributes:
        root: Absolute path of the folder of all data; image paths are relative to it.
        cache: Absolute path of the folder of the datasets' cache files.
    """

    root: pathlib.Path
    cache: pathlib.Path

    @classmethod
    def at(cls, root: Optional[PathLike] = None, cache: Optional[PathLike] = None) -> DataFolders:
        """Returns the folders in a data root.

        Args:
            root: Folder of all data; default: $DATA_ROOT, else `metrabs_data` in the working
                folder.
            cache: Folder of cache files; default: $CACHE_DIR, else `cache` in the data root.
        """
        given_root = root or os.environ.get("DATA_ROOT") or _DEFAULT_DATA_ROOT
        absolute = pathlib.Path(given_root).absolute()
        given_cache = cache or os.environ.get("CACHE_DIR") or absolute / "cache"
        return cls(absolute, pathlib.Path(given_cache).absolute())

    def image_path(self, path: str) -> str:
        """Returns the absolute path of an image whose path is relative to the data root.

        Args:
            path: As stored in an example; an absolute path is returned unchanged.
        """
        return path if os.path.isabs(path) else os.path.join(self.root, path)

    def cache_path(self, name_or_path: str) -> pathlib.Path:
        """Returns where the cache file of a dataset is, or would be.

        Args:
            name_or_path: A name such as 'huge8' (a file in the cache folder) or the path of a
                file, recognised by its ending `.pkl`. A path without a folder part that is not in
                the working folder is looked up in the cache folder.
        """
        if not name_or_path.endswith(".pkl"):
            return self.cache / f"{name_or_path}.pkl"
        path = pathlib.Path(name_or_path)
        return self.cache / path if path.name == name_or_path and not path.exists() else path

    def experiment_path(self, path: PathLike) -> pathlib.Path:
        """Returns the absolute path of a run's folder or file.

        Args:
            path: Absolute, or relative to the folder `experiments` in the data root.
        """
        return self.root / "experiments" / path

    def affine_weights_candidates(self, name: PathLike) -> list[pathlib.Path]:
        """Returns where a file of affine weights that is given as a bare name may be."""
        folder = self.root / "skeleton_conversion"
        return [folder / name, folder / f"{name}.npz"]


def is_data_root_given(root: Optional[PathLike] = None) -> bool:
    """Returns whether a data root is given by the argument or by the environment."""
    return bool(root or os.environ.get("DATA_ROOT"))
