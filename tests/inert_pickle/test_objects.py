"""Arrays are made as NumPy makes them, if their types are plain."""

from __future__ import annotations

import collections
import pickle

import numpy as np
import pytest

from metrabs.inert_pickle import load


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("array", [
    np.arange(6, dtype=np.float32).reshape(2, 3), np.asfortranarray(np.eye(3)),
    np.array([1, 2], ">i4"), np.array(["ab", "c"]), np.zeros([0, 3]), np.array(2.5),
    np.array([True, False]),
])  # fmt: skip
def test_arrays_are_those_that_python_reads(array: np.ndarray, protocol: int) -> None:
    shared = {"a": array, "b": [array, array.dtype.itemsize], "c": np.float64(3)}
    loaded = load(pickle.dumps(shared, protocol))
    np.testing.assert_array_equal(loaded["a"], array)
    assert loaded["a"].dtype == array.dtype
    assert loaded["b"][0] is loaded["a"]
    assert loaded["c"] == 3


def test_arrays_of_objects_are_read() -> None:
    array = np.empty(2, object)
    array[0], array[1] = np.ones(2), {"x": [1]}
    loaded = load(pickle.dumps(array))
    np.testing.assert_array_equal(loaded[0], np.ones(2))
    assert loaded[1] == {"x": [1]}


def test_arrays_of_python_2_are_read() -> None:
    # numpy.arange(2, dtype='<i2') by Python 2.7, protocol 0, written by hand from its rules
    content = (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntS'b'\ntRp2\n"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'i2'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x00\\x00\\x01\\x00'\ntb."
    )
    np.testing.assert_array_equal(load(content), [0, 1])


def test_ordered_dictionaries_and_sets_are_read() -> None:
    value = [collections.OrderedDict([("a", 1)]), {1, 2}, frozenset(["x"])]
    assert load(pickle.dumps(value)) == value


def _array_pickle(dtype_state: bytes, content: bytes = b"S'AAAAAAAA'") -> bytes:
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I1\nt" + dtype_state + b"I00\n" + content + b"\ntb."
    )


@pytest.mark.parametrize("content", [
    b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb",
    b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR(I3\nS'|'\nNNNI8\nI1\nI0\ntb",
    b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nN(S'a'\nt(dI8\nI1\nI0\ntb",
    b"cnumpy\ndtype\n(S'f8,f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb",
    b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb",
])  # fmt: skip
def test_arrays_that_would_read_foreign_memory_are_refused(content: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(_array_pickle(content))
