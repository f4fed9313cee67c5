from __future__ import annotations

import json
import pickle

import h5py
import numpy as np
import pytest
import scipy.io

from metrabs.datasets import readers
from metrabs.errors import UserError


def test_pickles_of_arrays_are_read_in_every_protocol(tmp_path):
    value = {"a": np.arange(6.0).reshape(2, 3), "b": [1, "text", None], "c": np.float32(2.5),
             "d": np.asfortranarray(np.eye(3)), "e": np.array(["x", "yz"])}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(value, protocol=protocol))
        read = readers.read_pickle(path)
        for key in value:
            np.testing.assert_array_equal(read[key], value[key])


def test_pickles_of_python_2_are_read(tmp_path):
    # {'s': 'caf\xe9', 'x': numpy.array([1.5, 2.5])}, as Python 2 writes it in protocol 0.
    text = (b"(dp0\nS's'\nS'caf\\xe9'\nsS'x'\ncnumpy.core.multiarray\n_reconstruct\n"
            b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"
            b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'"
            + b"".join(b"\\x%02x" % byte for byte in np.array([1.5, 2.5]).tobytes())
            + b"'\ntbs.")
    path = tmp_path / "old.pkl"
    path.write_bytes(text)
    read = readers.read_pickle(path)
    assert read["s"] == "caf\xe9"
    np.testing.assert_array_equal(read["x"], [1.5, 2.5])


class Trap:
    """Unpickling it would create a file."""

    def __reduce__(self):
        return open, ("trap", "w")


def test_a_pickle_cannot_run_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UserError, match="bad.pkl' is not a pickle of arrays.*open, which is not"):
        readers.read_pickle(path)
    assert not (tmp_path / "trap").exists()


def test_matlab_files_give_variables_and_structs(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.eye(2), "s": {"x": 3.0}})
    matrix, struct = readers.read_mat(path, "a", "s")
    np.testing.assert_array_equal(matrix, np.eye(2))
    assert struct.x == 3
    with pytest.raises(UserError, match="a.mat' is not a MATLAB file .version 5 to 7. with b"):
        readers.read_mat(path, "b")


def test_hdf5_files_lack_variables_by_name(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(3)
    with readers.open_hdf5(path, "x") as file:
        np.testing.assert_array_equal(file["x"], [0, 1, 2])
    with pytest.raises(UserError, match="missing: y, z"), readers.open_hdf5(path, "x", "y", "z"):
        pass


def test_json_files_are_read(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"name": "Jos\xe9"}, ensure_ascii=False), encoding="utf-8")
    assert readers.read_json(path) == {"name": "Jos\xe9"}


@pytest.mark.parametrize("read", [
    readers.read_json, readers.read_pickle, lambda path: readers.read_mat(path, "a"),
    lambda path: readers.open_hdf5(path, "a").__enter__(),
    lambda path: readers.read_cdf(path, "Pose"),
])
def test_missing_and_foreign_files_are_named_with_advice(tmp_path, read):
    path = tmp_path / "some.file"
    with pytest.raises(UserError, match="some.file' does not exist. Download"):
        read(path)
    path.write_bytes(b"\x80\xffnothing of the kind")
    with pytest.raises(UserError, match="some.file' is not a.*Download or unpack it again"):
        read(path)
