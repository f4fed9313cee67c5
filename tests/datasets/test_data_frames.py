from __future__ import annotations

import pathlib
import pickle

import numpy as np
import pytest

from metrabs.datasets.data_frames import columns_of, read_data_frame
from metrabs.errors import UserError
from metrabs.inert_pickle import PickledObject

_VALUES = {
    "imgPath": ["a.png", "b.png"],
    "camX": [1.5, 2.5],
    "camY": [3.0, 4.0],
    "count": [1, 2],
    "isValid": [True, False],
    "joints": [[np.eye(2)], [np.zeros((2, 3)), np.ones(1)]],
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_columns_are_those_that_pandas_wrote(tmp_path: pathlib.Path, protocol: int) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "frame.pkl"
    pandas.DataFrame(_VALUES).to_pickle(path, protocol=protocol)
    columns = read_data_frame(path)
    assert list(columns) == list(_VALUES)
    for name in list(_VALUES)[:-1]:
        assert columns[name].tolist() == _VALUES[name]
    np.testing.assert_array_equal(columns["joints"][1][0], np.zeros((2, 3)))


def test_columns_of_types_that_numpy_lacks_are_named(tmp_path: pathlib.Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "frame.pkl"
    pandas.DataFrame({"a": [1], "kind": pandas.Categorical(["x"])}).to_pickle(path)
    with pytest.raises(UserError, match="frame.pkl' is not a pickled pandas .*column kind is not"):
        read_data_frame(path)


def test_frames_of_old_versions_of_pandas_are_read() -> None:
    index = PickledObject(
        "pandas.core.indexes.base._new_Index",
        (None, {"data": np.array(["a", "b"], object), "name": None}),
    )
    blocks = [
        {"values": np.array([[1.0, 2.0]]), "mgr_locs": np.array([1])},
        {
            "values": np.array([["x", "y"]], object),
            "mgr_locs": PickledObject("builtins.slice", (0, 1, 1)),
        },
    ]
    manager = PickledObject(
        "pandas.core.internals.managers.BlockManager",
        state=([], [], [], {"0.14.1": {"axes": [index, None], "blocks": blocks}}),
    )
    frame = PickledObject("pandas.core.frame.DataFrame", state={"_data": manager})
    columns = columns_of(frame)
    assert {name: list(values) for name, values in columns.items()} == {
        "a": ["x", "y"],
        "b": [1, 2],
    }
    blocks.pop()
    with pytest.raises(ValueError, match="missing"):
        columns_of(frame)


@pytest.mark.parametrize("content", [{"a": 1}, [], None, pathlib.PurePosixPath("x")])
def test_other_pickles_are_refused(tmp_path: pathlib.Path, content: object) -> None:
    path = tmp_path / "other.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(UserError, match="other.pkl' is not a pickled pandas data frame"):
        read_data_frame(path)
