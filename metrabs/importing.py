"""Importing what a text such as 'package.module:function' names, only when it is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from metrabs.errors import UserError, unknown_name_error


def imported(place: str) -> Any:
    """Returns the function that 'package.module:function', given by a user, stands for.

    Raises:
        UserError: there is none.
    """
    try:
        return _attribute(place)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"'{place}' cannot be imported ({error}); expected package.module:function."
        ) from error


def imported_from_table(kind: str, name: str, places: Mapping[str, str]) -> Any:
    """Returns what a table of the project has under a name.

    Args:
        kind: what the names stand for, such as 'dataset'.
        name: the one asked for.
        places: name -> 'package.module:Class'.

    Raises:
        UserError: there is none of that name.
    """
    if name not in places:
        raise unknown_name_error(kind, name, places)
    return _attribute(places[name])


def _attribute(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
