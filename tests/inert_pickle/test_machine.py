"""Pickles are read as data: equal to what Python reads, inert and bounded."""

from __future__ import annotations

import collections
import fractions
import io
import pickle
import pickletools
import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.inert_pickle import NOTHING, Global, PickledObject, load

_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(value=_PLAIN, protocol=st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_plain_values_are_those_that_python_reads(value: Any, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)) == value


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


def test_buffers_are_used_in_order() -> None:
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps([np.arange(3), np.arange(4)], 5, buffer_callback=buffers.append)
    loaded = load(content, [buffer.raw() for buffer in buffers])
    assert [array.tolist() for array in loaded] == [[0, 1, 2], [0, 1, 2, 3]]


def test_arrays_of_python_2_are_read() -> None:
    # numpy.arange(2, dtype='<i2') by Python 2.7, protocol 0, written by hand from its rules
    content = (
        b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntS'b'\ntRp2\n"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'i2'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n"
        b"S'\\x00\\x00\\x01\\x00'\ntb."
    )
    np.testing.assert_array_equal(load(content), [0, 1])


def test_strings_of_python_2_are_read_as_latin_1() -> None:
    assert load(b"(S'caf\\xe9'\nU\x04caf\xe9t.") == ("caf\xe9", "caf\xe9")


def test_several_pickles_in_a_file_are_read_one_after_another() -> None:
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert [load(file), load(file), file.read()] == [1, "two", b"rest"]


def test_ordered_dictionaries_and_sets_are_read() -> None:
    value = [collections.OrderedDict([("a", 1)]), {1, 2}, frozenset(["x"])]
    assert load(pickle.dumps(value)) == value


def test_other_objects_are_described_and_not_built() -> None:
    loaded = load(pickle.dumps(fractions.Fraction(1, 3)), admitted=None)
    assert isinstance(loaded, PickledObject)
    assert loaded.name == "fractions.Fraction"

    class_with_state = b"ccollections\nCounter\n)R}\x8c\x01aK\x01sb."
    loaded = load(class_with_state, admitted=None)
    assert (loaded.name, loaded.state) == ("collections.Counter", {"a": 1})


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("this must not be printed",)


def test_objects_are_refused_where_plain_values_are_expected() -> None:
    with pytest.raises(pickle.UnpicklingError, match="fractions.Fraction"):
        load(pickle.dumps({"x": [fractions.Fraction(1, 3)]}))


def test_references_are_refused_even_if_nothing_of_them_remains() -> None:
    with pytest.raises(pickle.UnpicklingError, match="os.system"):
        load(b"cos\nsystem\n0N.")
    with pytest.raises(pickle.UnpicklingError, match="numpy.ndarray"):
        load(b"cnumpy\nndarray\n0N.", admitted=NOTHING)


def test_functions_are_not_called(capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load(pickle.dumps([_Evil(), print]), admitted=None)
    assert loaded[0].name == "builtins.print"
    assert isinstance(loaded[1], Global)
    assert not capsys.readouterr().out


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


@pytest.mark.parametrize("content", [
    b"",
    b"\x80\x05",
    b"]\x94" * 5,
    b"(" * 1000 + b".",
    b"h\x05.",
    b"\x80\x05N.."[:3],
    b"cos\nsystem\n(S'true'\ntQ.",
    b"\x82\x01.",
    b"\x97.",
    b"}(]K\x01u.",
    b"Pname\n.",
    b"\x8d" + struct.pack("<Q", 2**60) + b"x.",
    b"\x8e" + struct.pack("<Q", 2**62) + b"x.",
    b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    b"]\x94h\x00a.",
    b"](h\x00e.",
], ids=str)  # fmt: skip
def test_damaged_and_crafted_pickles_are_refused(content: bytes) -> None:
    with pytest.raises(pickle.UnpicklingError):
        load(content)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="nested"):
        load(b")" + b"\x85" * 1_000_000 + b".")
    with pytest.raises(pickle.UnpicklingError, match="key"):
        load(b"})" + b"\x85" * 1_000_000 + b"Ns.")


def test_sharing_that_explodes_is_refused() -> None:
    content = b")" + b"".join(b"q%c0h%ch%c\x86" % (i, i, i) for i in range(1, 60)) + b"."
    start = time.perf_counter()
    with pytest.raises(pickle.UnpicklingError, match="nested|share"):
        load(content)
    assert time.perf_counter() - start < 30


def test_a_large_memo_index_takes_no_memory() -> None:
    assert load(b"Nr\xff\xff\xff\xff.") is None


@pytest.mark.parametrize("seed", range(3))
def test_random_damage_is_refused_or_gives_inert_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    original = pickle.dumps({"a": np.arange(9.0), "b": ["text", (1, 2.5, None)], "c": b"x" * 9})
    for _ in range(300):
        damaged = bytearray(original)
        for position in rng.integers(0, len(damaged), 3):
            damaged[position] = rng.integers(0, 256)
        try:
            load(bytes(damaged))
        except pickle.UnpicklingError:
            pass


def test_every_opcode_of_python_is_known_or_refused_by_name() -> None:
    refused = {"EXT1", "EXT2", "EXT4"}
    for opcode in pickletools.opcodes:
        try:
            load(opcode.code.encode("latin-1") + b"\0" * 16 + b"\n0\n.")
        except pickle.UnpicklingError as error:
            assert ("not admitted" in str(error) and "opcode" in str(error)) == (
                opcode.name in refused), opcode.name
