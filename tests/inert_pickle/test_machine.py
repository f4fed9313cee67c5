"""Pickles are read as data: equal to what Python reads, inert and bounded."""

from __future__ import annotations

import fractions
import io
import pickle
import pickletools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrabs.inert_pickle import NOTHING, Global, PickledObject, load

_PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


@given(value=_PLAIN, protocol=st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_plain_values_are_those_that_python_reads(value: Any, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol)) == value


def test_buffers_are_used_in_order() -> None:
    buffers: list[pickle.PickleBuffer] = []
    content = pickle.dumps([np.arange(3), np.arange(4)], 5, buffer_callback=buffers.append)
    loaded = load(content, [buffer.raw() for buffer in buffers])
    assert [array.tolist() for array in loaded] == [[0, 1, 2], [0, 1, 2, 3]]


def test_strings_of_python_2_are_read_as_latin_1() -> None:
    assert load(b"(S'caf\\xe9'\nU\x04caf\xe9t.") == ("caf\xe9", "caf\xe9")


def test_several_pickles_in_a_file_are_read_one_after_another() -> None:
    file = io.BytesIO(pickle.dumps(1) + pickle.dumps("two") + b"rest")
    assert [load(file), load(file), file.read()] == [1, "two", b"rest"]


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
                opcode.name in refused
            ), opcode.name
