"""The registry of converters: name of the dataset -> its converter."""

from __future__ import annotations

import functools
from collections.abc import Callable

from data_preparation.common.converter import Converter
from metrabs.importing import import_registered

# Add a line here for a new dataset. Modules are imported on demand.
_CONVERTERS = {
    "coco": "data_preparation.coco:Coco",
    "h36m": "data_preparation.h36m:Human36M",
    "mpii": "data_preparation.mpii:Mpii",
    "muco": "data_preparation.muco:MuCo",
    "mupots": "data_preparation.mupots:MuPoTS",
    "tdhp": "data_preparation.tdhp:MpiInf3dhp",
    "tdhp_full": "data_preparation.tdhp_full:MpiInf3dhpFull",
    "tdpw": "data_preparation.tdpw:ThreeDpw",
}


def converters() -> dict[str, Callable[[], type[Converter]]]:
    """Returns, by name, functions that import and return the converter classes."""
    return {name: functools.partial(load_converter, name) for name in _CONVERTERS}


def load_converter(name: str) -> type[Converter]:
    """Imports the converter of a dataset.

    Raises:
        UserError: the name is unknown.
    """
    return import_registered("dataset", name, _CONVERTERS)
