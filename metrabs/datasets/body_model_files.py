"""Reading files of body models, such as SMPL and MANO, as inert data.

These pickles of Python 2 hold arrays, sparse matrices of SciPy and variables of the package
chumpy, which no longer installs. All of them are read as plain arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from metrabs import inert_pickle
from metrabs.datasets.readers import reading
from metrabs.files import PathLike
from metrabs.inert_pickle import PickledObject

_SPARSE = ("scipy.sparse.csc.csc_matrix", "scipy.sparse._csc.csc_matrix")
_MAX_DENSE_VALUES = 100_000_000  # the regressor of joints has 165,360
_MAX_DEPTH = 20  # of variables that select parts of others


def read_body_model(path: PathLike) -> dict[str, Any]:
    """Reads the file of a body model.

    Returns:
        The values by name; all that are array-like are arrays, sparse matrices are dense.

    Raises:
        UserError: The file is missing or damaged, or has an object in it that is not known.
    """
    with reading(path, "a pickled body model"), open(path, "rb") as file:
        content = inert_pickle.load(file, admitted=None)
        if not isinstance(content, dict):
            raise ValueError("it is not a dictionary")
        return {name: plain_value(value) for name, value in content.items()}


def plain_value(value: Any, max_depth: int = _MAX_DEPTH) -> Any:
    """Returns the array that a sparse matrix or chumpy variable describes; others as they are.

    Args:
        value: What was read as inert data.
        max_depth: How many variables may select parts of one another.

    Raises:
        ValueError: It is another object, or is damaged.
    """
    if isinstance(value, inert_pickle.Global):
        raise ValueError(f"{value.name} is not known")
    if not isinstance(value, PickledObject):
        return value
    state = value.state if isinstance(value.state, dict) else {}
    if value.name in _SPARSE:
        return _dense(state)
    if value.name == "chumpy.ch.Ch":
        return np.asarray(plain_value(state["x"], max_depth - 1))
    if value.name == "chumpy.reordering.Select" and max_depth > 0:
        selected = plain_value(state["a"], max_depth - 1).ravel()[np.asarray(state["idxs"])]
        return selected.reshape(state.get("preferred_shape", selected.shape))
    raise ValueError(f"{value.name} is not known")


def _dense(state: dict[str, Any]) -> np.ndarray:
    """Returns the dense form of a matrix in compressed columns; SciPy would not check it."""
    data, rows, starts = (np.asarray(state[name]) for name in ("data", "indices", "indptr"))
    num_rows, num_columns = (int(size) for size in state.get("_shape", state.get("shape", ())))
    if num_rows < 0 or num_columns < 0 or num_rows * num_columns > _MAX_DENSE_VALUES:
        raise ValueError(f"a sparse matrix is {num_rows} x {num_columns}")
    lengths = np.diff(starts)
    fits = (
        len(starts) == num_columns + 1
        and starts[0] == 0
        and (lengths >= 0).all()
        and starts[-1] == len(data) == len(rows)
        and (len(rows) == 0 or 0 <= rows.min() <= rows.max() < num_rows)
    )
    if not fits:
        raise ValueError("a sparse matrix is damaged")
    dense = np.zeros((num_rows, num_columns), data.dtype)
    np.add.at(dense, (rows, np.repeat(np.arange(num_columns), lengths)), data)
    return dense
