"""Built-in datasets on demand: opening one builds it if it is not on disk yet."""

from __future__ import annotations

import functools
import logging
from typing import Optional

from metrabs.data.datasets import register_builder
from metrabs.folders import DataFolders
from metrabs.synthetic.dataset_suite import build_dataset_suite

BUILTIN_3D = ("synth1", "synth3", "synth14", "synth28")
BUILTIN_2D = "synth2d"

_logger = logging.getLogger(__name__)


def offer_builtin_datasets(workers: Optional[int] = None) -> None:
    """Lets the opening of a built-in dataset build it in the data root if it has no cache yet.

    Args:
        workers: processes that render; None: one per processor.
    """
    for name in (*BUILTIN_3D, BUILTIN_2D):
        register_builder(name, functools.partial(_make, name, workers))


def _make(name: str, workers: Optional[int], folders: DataFolders) -> None:
    _logger.info("Building the built-in datasets, since '%s' does not exist yet.", name)
    build_dataset_suite(folders.root, data_root=folders.root, workers=workers)
