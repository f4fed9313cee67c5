"""Built-in datasets on demand: whoever opens one that is not on this disk yet gets it made."""

from __future__ import annotations

import functools
import logging
from typing import Optional

from metrabs.data.datasets import data_root, register_maker
from metrabs.synthetic.pile import build_pile

BUILTIN_3D = ("synth1", "synth3", "synth14", "synth28")
BUILTIN_2D = "synth2d"

_logger = logging.getLogger(__name__)


def offer_builtin_datasets(workers: Optional[int] = None) -> None:
    """From now on, opening a built-in dataset builds it below $DATA_ROOT if it has no cache yet.

    Args:
        workers: processes that render; None: one per processor.
    """
    for name in (*BUILTIN_3D, BUILTIN_2D):
        register_maker(name, functools.partial(_make, name, workers))


def _make(name: str, workers: Optional[int]) -> None:
    _logger.info("Building the built-in datasets, since %s is not there yet.", name)
    build_pile(data_root(), workers=workers)
