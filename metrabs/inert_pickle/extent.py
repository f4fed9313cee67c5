"""Checks that an object that was read can be followed to its end."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from metrabs.inert_pickle.objects import PickledObject, UnfinishedArray

_MAX_DEPTH = 100


def check_extent(result: Any, max_visits: int) -> None:
    """Checks that following all references from an object ends soon and is not deep.

    Raises:
        pickle.UnpicklingError: Objects contain themselves, share parts so often that following
            them takes for ever, are nested too deeply, or are incomplete.
    """
    pending = [(result, 0)]
    num_visits = 0
    while pending:
        value, depth = pending.pop()
        num_visits += 1
        if num_visits > max_visits or depth > _MAX_DEPTH:
            raise pickle.UnpicklingError("objects are nested too deeply or contain themselves")
        if isinstance(value, UnfinishedArray):
            raise pickle.UnpicklingError("damaged pickle: an array without content")
        children = _children(value)
        if num_visits + len(pending) + len(children) > max_visits:
            raise pickle.UnpicklingError("objects share parts too often or contain themselves")
        pending.extend((child, depth + 1) for child in children)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, PickledObject):
        return [*value.arguments, value.state, *value.items]
    if isinstance(value, np.ndarray) and value.dtype == object:
        return value.ravel().tolist()
    return []
