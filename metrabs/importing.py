"""Importing on demand what a string such as 'package.module:function' names."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from metrabs.errors import UserError, unknown_name_error


def import_from_string(path: str) -> Any:
    """Imports the object that a user has given as 'package.module:name'.

    Raises:
        UserError: it cannot be imported.
    """
    try:
        return _attribute(path)
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"'{path}' cannot be imported ({error}); expected package.module:name."
        ) from error


def import_registered(kind: str, name: str, registry: Mapping[str, str]) -> Any:
    """Imports the object that a registry of the project has under a name.

    Args:
        kind: What the names stand for, such as 'dataset'.
        name: The name to look up.
        registry: name -> 'package.module:Class'.

    Raises:
        UserError: the registry does not have the name.
    """
    if name not in registry:
        raise unknown_name_error(kind, name, registry)
    return _attribute(registry[name])


def _attribute(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
