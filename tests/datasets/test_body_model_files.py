from __future__ import annotations

import pathlib
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from metrabs.datasets.body_model_files import plain_value, read_body_model
from metrabs.errors import UserError
from metrabs.inert_pickle import PickledObject


def _variable(values: Any) -> PickledObject:
    return PickledObject("chumpy.ch.Ch", state={"x": values})


def _sparse_state(**changes: Any) -> dict[str, Any]:
    return {
        "_shape": (2, 2),
        "data": np.ones(2),
        "indices": np.array([0, 1]),
        "indptr": np.array([0, 1, 2]),
        **changes,
    }


def test_arrays_and_sparse_matrices_are_read_as_arrays(tmp_path: pathlib.Path) -> None:
    regressor = np.array([[0, 0.25, 0], [0.5, 0, 0]])
    model = {
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "f": np.arange(6).reshape(2, 3),
        "bs_type": "lrotmin",
    }
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model, protocol=2))
    read = read_body_model(path)
    assert read["bs_type"] == "lrotmin"
    np.testing.assert_array_equal(read["f"], model["f"])
    np.testing.assert_array_equal(read["J_regressor"], regressor)


def test_variables_of_chumpy_are_read_from_a_file_of_python_2(tmp_path: pathlib.Path) -> None:
    # {'v': chumpy.ch.Ch} whose state is {'x': [1.5, 2.5]}, in protocol 2.
    path = tmp_path / "model.pkl"
    path.write_bytes(
        b"\x80\x02}U\x01vcchumpy.ch\nCh\n)\x81}U\x01x](G?\xf8\x00\x00\x00\x00\x00\x00"
        b"G@\x04\x00\x00\x00\x00\x00\x00esbs."
    )
    np.testing.assert_array_equal(read_body_model(path)["v"], [1.5, 2.5])


def test_selections_of_variables_are_resolved() -> None:
    selection = PickledObject(
        "chumpy.reordering.Select",
        state={
            "a": _variable(np.arange(6.0)),
            "idxs": np.array([4, 1]),
            "preferred_shape": (2, 1),
        },
    )
    np.testing.assert_array_equal(plain_value(selection), [[4], [1]])


@pytest.mark.parametrize(
    "state",
    [
        _sparse_state(indices=np.array([0, 2])),
        _sparse_state(indptr=np.array([0, 3, 2])),
        _sparse_state(_shape=(10**9, 1)),
        _sparse_state(data=np.ones(1)),
        _sparse_state(_shape=(2, -1)),
    ],
)
def test_damaged_sparse_matrices_are_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="sparse matrix is"):
        plain_value(PickledObject("scipy.sparse._csc.csc_matrix", state=state))


def test_other_objects_are_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": pathlib.PurePosixPath("x")}))
    with pytest.raises(UserError, match="model.pkl' is not a pickled body model .*PurePosixPath"):
        read_body_model(path)
