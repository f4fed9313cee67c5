"""Reading pickled pandas data frames as inert data, without pandas.

The annotations of some datasets, such as AGORA, are pickled data frames. Unpickling them would run
code that the file names, and needs the version of pandas that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from metrabs import inert_pickle
from metrabs.datasets.readers import reading
from metrabs.files import PathLike
from metrabs.inert_pickle import PickledObject

_STATE_OF_OLD_MANAGERS = "0.14.1"  # the version of pandas that introduced this layout


def read_data_frame(path: PathLike) -> dict[str, np.ndarray]:
    """Reads the columns of a pickled pandas data frame, written by any version since 0.14.

    Returns:
        The values of each column, by its name. Columns of lists and strings are object arrays.

    Raises:
        UserError: The file is missing or damaged, is not a data frame, or has columns of types
            that NumPy does not have.
    """
    with reading(path, "a pickled pandas data frame"), open(path, "rb") as file:
        return columns_of(inert_pickle.load(file, admitted=None))


def columns_of(frame: Any) -> dict[str, np.ndarray]:
    """Returns the values of each column of a data frame that was read as inert data.

    Raises:
        ValueError: It is not a data frame that is understood.
    """
    if not isinstance(frame, PickledObject) or frame.name != "pandas.core.frame.DataFrame":
        raise ValueError("it is not a data frame")
    state = _mapping(frame.state)
    manager = state.get("_mgr", state.get("_data"))  # the name of before version 1.1
    if not isinstance(manager, PickledObject):
        raise ValueError("the data frame has no content")
    if manager.arguments:
        blocks, axes = manager.arguments[:2]
        pairs = [_values_and_places(block) for block in blocks]
    else:
        content = _mapping(_mapping(manager.state[-1])[_STATE_OF_OLD_MANAGERS])
        axes = content["axes"]
        pairs = [(block["values"], block["mgr_locs"]) for block in content["blocks"]]
    names = _names_of(axes[0])
    columns = dict(_placed(pairs, names))
    if len(columns) != len(names):
        raise ValueError("columns of the data frame are missing or have the same name")
    return {name: columns[name] for name in names}


def _mapping(value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError("the layout of the data frame is unknown")
    return value


def _values_and_places(block: Any) -> tuple[Any, Any]:
    if not isinstance(block, PickledObject) or not block.name.endswith("._unpickle_block"):
        raise ValueError("a block of the data frame is unknown")
    return block.arguments[0], block.arguments[1]


def _names_of(index: Any) -> list[str]:
    if not isinstance(index, PickledObject) or not index.name.endswith("._new_Index"):
        raise ValueError("the index of the columns is unknown")
    data = _mapping(index.arguments[1])
    if not isinstance(data.get("data"), np.ndarray):
        raise ValueError("the columns have no names")
    return [str(name) for name in data["data"]]


def _placed(pairs: list[tuple[Any, Any]], names: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yields the name and values of each column of blocks: values `[n, rows]`, n places."""
    for values, places in pairs:
        indices = _indices(places, len(names))
        if not isinstance(values, np.ndarray) or len(values) != len(indices):
            described = getattr(values, "name", type(values).__name__)
            columns = ", ".join(names[index] for index in indices)
            raise ValueError(f"column {columns} is not an array but {described}")
        for index, column in zip(indices, values):
            yield names[index], column


def _indices(places: Any, num_columns: int) -> list[int]:
    if isinstance(places, PickledObject) and places.name.endswith(".slice"):
        return list(range(num_columns))[slice(*places.arguments)]
    indices = [int(index) for index in np.asarray(places).ravel()]
    if not all(0 <= index < num_columns for index in indices):
        raise ValueError("a block of the data frame is not at any column")
    return indices
