"""The datasets that can be prepared: name -> where its converter is."""

from __future__ import annotations

import functools
from collections.abc import Callable

from data_preparation.common.converter import Converter
from metrabs.importing import imported_from_table

# Add a line here for a new dataset; its module is imported only when it is asked for.
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
        UserError: there is none of that name.
    """
    return imported_from_table("dataset", name, _CONVERTERS)
