from __future__ import annotations

import json
import pickle

import h5py
import numpy as np
import pytest
import scipy.io

from metrabs.datasets import readers
from metrabs.errors import UserError
from tests.data_preparation.fakes.mpii import make_mpii
from tests.data_preparation.fakes.tdpw import make_tdpw


def test_pickles_of_arrays_are_read_in_every_protocol(tmp_path):
    value = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": [1, "text", None],
        "c": np.float32(2.5),
        "d": np.asfortranarray(np.eye(3)),
        "e": np.array(["x", "yz"]),
    }
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        path = tmp_path / f"{protocol}.pkl"
        path.write_bytes(pickle.dumps(value, protocol=protocol))
        read = readers.read_pickle(path)
        for key in value:
            np.testing.assert_array_equal(read[key], value[key])


def test_pickles_of_python_2_are_read(tmp_path):
    # {'s': 'caf\xe9', 'x': numpy.array([1.5, 2.5])}, as Python 2 writes it in protocol 0.
    text = (
        b"(dp0\nS's'\nS'caf\\xe9'\nsS'x'\ncnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"
        b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'"
        + b"".join(b"\\x%02x" % byte for byte in np.array([1.5, 2.5]).tobytes())
        + b"'\ntbs."
    )
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


@pytest.mark.parametrize(
    "read",
    [
        readers.read_json,
        readers.read_pickle,
        lambda path: readers.read_mat(path, "a"),
        lambda path: readers.open_hdf5(path, "a").__enter__(),
        lambda path: readers.read_cdf(path, "Pose"),
    ],
)
def test_missing_and_foreign_files_are_named_with_advice(tmp_path, read):
    path = tmp_path / "some.file"
    with pytest.raises(UserError, match="some.file' does not exist. Download"):
        read(path)
    path.write_bytes(b"\x80\xffnothing of the kind")
    with pytest.raises(UserError, match="some.file' is not a.*Download or unpack it again"):
        read(path)


# Each of them made an unpickler of NumPy arrays run code, read foreign memory, crash or take all
# memory.
_CRAFTED = {
    "np_object_from_buffer": (
        b"\x80\x04cnumpy\nndarray\n((J\x02\x00\x00\x00t\x8c\x01OB\x10\x00\x00\x00AAAAAAAAAAAA"
        b"AAAAtR."
    ),
    "np_huge_array": b"\x80\x04cnumpy\nndarray\n((J\x00\x00\x00@J@\x00\x00\x00t\x8c\x02f8tR.",
    "np_uninitialised": b"\x80\x04cnumpy\nndarray\n((J\xe8\x03\x00\x00t\x8c\x02f8tR.",
    "dtype_object_flags0_scalar": (
        b"\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02V8\x89\x88\x87R(J"
        b"\x03\x00\x00\x00\x8c\x01|N\x8c\x01a\x85}\x8c\x01acnumpy\ndtype\n\x8c\x01O\x89\x88"
        b"\x87RJ\x00\x00\x00\x00\x86sJ\x08\x00\x00\x00J\x01\x00\x00\x00J\x00\x00\x00\x00tbB"
        b"\x08\x00\x00\x00AAAAAAAA\x86R."
    ),
    "dtype_object_flags0_item": (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x00\x00\x00\x00"
        b"\x85B\x01\x00\x00\x00b\x87R(J\x01\x00\x00\x00J\x02\x00\x00\x00\x85cnumpy\ndtype\n"
        b"\x8c\x02V8\x89\x88\x87R(J\x03\x00\x00\x00\x8c\x01|N\x8c\x01a\x85}\x8c\x01acnumpy\nd"
        b"type\n\x8c\x01O\x89\x88\x87RJ\x00\x00\x00\x00\x86sJ\x08\x00\x00\x00J\x01\x00\x00"
        b"\x00J\x00\x00\x00\x00tb\x89B\x10\x00\x00\x00AAAAAAAAAAAAAAAAtb."
    ),
    "dtype_builtin_O_flags0": (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x00\x00\x00\x00"
        b"\x85B\x01\x00\x00\x00b\x87R(J\x01\x00\x00\x00J\x02\x00\x00\x00\x85cnumpy\ndtype\n"
        b"\x8c\x02O8\x89\x88\x87R(J\x03\x00\x00\x00\x8c\x01|NNNJ\x08\x00\x00\x00J\x08\x00\x00"
        b"\x00J\x00\x00\x00\x00tb\x89B\x10\x00\x00\x00AAAAAAAAAAAAAAAAtb."
    ),
    "dtype_field_offset_out": (
        b"\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02V8\x89\x88\x87R(J"
        b"\x03\x00\x00\x00\x8c\x01|N\x8c\x01a\x85}\x8c\x01acnumpy\ndtype\n\x8c\x02f8\x89\x88"
        b"\x87RJ\x00\x00\x00\x10\x86sJ\x08\x00\x00\x00J\x01\x00\x00\x00J\x00\x00\x00\x00tbB"
        b"\x08\x00\x00\x00AAAAAAAA\x86R."
    ),
    "dtype_field_offset_array": (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x00\x00\x00\x00"
        b"\x85B\x01\x00\x00\x00b\x87R(J\x01\x00\x00\x00J\x02\x00\x00\x00\x85cnumpy\ndtype\n"
        b"\x8c\x02V8\x89\x88\x87R(J\x03\x00\x00\x00\x8c\x01|N\x8c\x01a\x85}\x8c\x01acnumpy\nd"
        b"type\n\x8c\x02f8\x89\x88\x87RJ\x00\x00\x00\x10\x86sJ\x08\x00\x00\x00J\x01\x00\x00"
        b"\x00J\x00\x00\x00\x00tb\x89B\x10\x00\x00\x00AAAAAAAAAAAAAAAAtb."
    ),
    "reconstruct_huge": (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x00\x00\x00@J\x00"
        b"\x00\x00@\x86B\x01\x00\x00\x00b\x87R."
    ),
    "reconstruct_other_class": (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nJ\x03\x00\x00\x00\x85B"
        b"\x01\x00\x00\x00b\x87R."
    ),
    "scalar_short": (
        b"\x80\x04cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02f8\x89\x88\x87RB\x02"
        b"\x00\x00\x00ab\x86R."
    ),
    "frombuffer_O": (
        b"\x80\x04cnumpy.core.numeric\n_frombuffer\n(B\x10\x00\x00\x00AAAAAAAAAAAAAAAA\x8c"
        b"\x01OJ\x02\x00\x00\x00\x85\x8c\x01CtR."
    ),
    "setstate_overlap": (
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\x00\x00\x00\x00"
        b"\x85B\x01\x00\x00\x00b\x87R(J\x01\x00\x00\x00J\x00\x00\x00@J\x00\x00\x00@J\x00\x00"
        b"\x00@\x87cnumpy\ndtype\n\x8c\x02f8\x89\x88\x87R\x89B\x10\x00\x00\x00AAAAAAAAAAAAAAA"
        b"Atb."
    ),
    "ndarray_offset_strides": (
        b"\x80\x04cnumpy\nndarray\n((J\x04\x00\x00\x00t\x8c\x02f8B@\x00\x00\x00AAAAAAAAAAAAAA"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJ\x00\x00\x00\x00(J\x00\x00\x10"
        b"\x00ttR."
    ),
    "ndarray_neg_strides": (
        b"\x80\x04cnumpy\nndarray\n((J\x04\x00\x00\x00t\x8c\x02f8B@\x00\x00\x00AAAAAAAAAAAAAA"
        b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJ\x00\x00\x00\x00(J\x00\x00\xf0"
        b"\xffttR."
    ),
    "reduce_os_system": b"\x80\x04cos\nsystem\n\x8c\ntouch trap\x85R.",
    "stackglobal_eval": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x10open('trap','w')\x85R.",
    "inst_opcode": b"(S'touch trap'\nios\nsystem\n.",
    "obj_opcode": b"(cos\nsystem\nS'touch trap'\no.",
    "ext1": b"\x80\x04\x82\x01.",
    "persid": b"Pabc\n.",
    "dotted_attr": b"\x80\x04\x8c\x15numpy.core.multiarray\x8c\x0fscalar.__self__\x93.",
    "dotted_numpy": b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.",
    "codecs_encode_import": b"\x80\x04c_codecs\nencode\n\x8c\x01x\x8c\x04idna\x86R.",
    "memo_tricks": b"\x80\x04h\xff.",
    "binbytes8_huge": b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00x.",
    "binunicode8_huge": b"\x80\x04\x8d\x00\x00\x00\x00\x00\x00\x00@x.",
    "long4_huge": b"\x80\x04\x8b\xff\xff\xff\x7fx.",
}


@pytest.mark.parametrize("name", _CRAFTED)
def test_crafted_pickles_are_refused_by_the_name_of_the_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "crafted.pkl"
    path.write_bytes(_CRAFTED[name])
    message = "^File '.*crafted.pkl' is not a pickle of arrays"
    with pytest.raises(UserError, match=message) as error:
        readers.read_pickle(path)
    assert "\n" not in str(error.value) and not (tmp_path / "trap").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04})" + b"\x85" * 10_000 + b"K\x01s.",  # a key of nested tuples
        b"\x80\x04()" + b"\x85" * 10_000 + b"\x91.",  # a set of them
        b"\x80\x04" + b"]" * 10_000 + b"a" * 9_999 + b".",
    ],
)
def test_deeply_nested_pickles_are_refused_by_the_name_of_the_file(tmp_path, content):
    path = tmp_path / "deep.pkl"
    path.write_bytes(content)
    with pytest.raises(UserError, match="^File '.*deep.pkl' is not a pickle of arrays"):
        readers.read_pickle(path)


def test_a_sequence_of_3dpw_with_a_crafted_array_is_named(tmp_path):
    make_tdpw(tmp_path)
    array = b"cnumpy\nndarray\n((K\x02tX\x01\x00\x00\x00OB\x10\x00\x00\x00" + b"A" * 16 + b"tR"
    path = next((tmp_path / "3dpw" / "sequenceFiles").rglob("*.pkl"))
    path.write_bytes(b"\x80\x03}X\x0e\x00\x00\x00jointPositions" + array + b"s.")
    with pytest.raises(UserError, match=f"{path.name}' is not a pickle of arrays"):
        readers.read_pickle(path)


@pytest.mark.parametrize("offset", [8176, 11167])
def test_a_matlab_file_that_crashes_scipy_is_named(tmp_path, offset):
    make_mpii(tmp_path)
    path = next(tmp_path.rglob("*.mat"))
    content = path.read_bytes()
    path.write_bytes(content[:offset] + bytes(300) + content[offset + 300 :])
    with pytest.raises(UserError, match=f"{path.name}' is not a MATLAB file") as error:
        readers.read_mat(path, "RELEASE")
    assert "\n" not in str(error.value)


def test_the_end_of_the_process_that_reads_a_matlab_file_is_explained(tmp_path, monkeypatch):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": np.eye(2)})
    monkeypatch.setattr(readers, "_READ_MAT", "import os; os.kill(os.getpid(), 11)")
    with pytest.raises(UserError, match="a.mat' is not .*crashes SciPy"):
        readers.read_mat(path, "a")
