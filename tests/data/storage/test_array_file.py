from __future__ import annotations

import os
import pickle
import zlib

import numpy as np
import pytest

from metrabs.data.storage import array_file
from metrabs.data.storage.array_file import (
    pack_array,
    read_array_file,
    unpack_array,
    write_array_file,
)
from metrabs.errors import UserError

EXECUTED = []


class Malicious:
    def __reduce__(self):
        return EXECUTED.append, ("code ran",)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "set.pkl"
    arrays = {"a": pack_array(np.arange(1000.0)), "empty": pack_array(np.zeros((0, 3)))}
    write_array_file(path, {"name": "set", "arrays": arrays, "pair": (1, 2.5)})
    return path


def craft(path, pickled):
    """Writes a file whose header, checksum and length are right and whose pickle is given."""
    length = -(-(array_file._HEADER.size + len(pickled)) // 64) * 64
    header = array_file._HEADER.pack(
        array_file._MAGIC, array_file.FORMAT_VERSION, zlib.crc32(pickled), len(pickled), 0, length
    )
    path.write_bytes((header + pickled).ljust(length, b"\0"))


def test_content_comes_back_and_arrays_are_mapped_not_copied(path):
    content = read_array_file(path).content
    array = unpack_array(content["arrays"]["a"])
    assert content["name"] == "set" and content["pair"] == (1, 2.5)
    assert np.array_equal(array, np.arange(1000.0))
    assert not array.flags.owndata and not array.flags.writeable
    assert array.__array_interface__["data"][0] % 64 == 0
    assert unpack_array(content["arrays"]["empty"]).shape == (0, 3)


@pytest.mark.parametrize("payload", [Malicious(), np.arange(3), {"x": np.float32(1)}, print])
def test_a_pickle_that_refers_to_any_code_is_refused_without_running_it(tmp_path, payload):
    path = tmp_path / "evil.pkl"
    craft(path, pickle.dumps(payload, protocol=5))
    before = path.read_bytes()
    with pytest.raises(UserError, match="refers to"):
        read_array_file(path)
    assert not EXECUTED and path.read_bytes() == before


def test_a_foreign_pickle_is_refused_without_being_unpickled(tmp_path):
    (tmp_path / "foreign.pkl").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(UserError, match="not a METRABS cache file"):
        read_array_file(tmp_path / "foreign.pkl")
    assert not EXECUTED


@pytest.mark.parametrize("num_bytes", [0, 1, 63, 64, 200, 500, 8000])
def test_a_truncated_file_is_refused_and_left_alone(path, num_bytes):
    whole = path.read_bytes()
    path.write_bytes(whole[:num_bytes])
    with pytest.raises(UserError, match="set.pkl"):
        read_array_file(path)
    assert path.read_bytes() == whole[:num_bytes]


def test_another_version_is_refused_by_its_number(path):
    data = bytearray(path.read_bytes())
    data[16:20] = (7).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(UserError, match="format version 7"):
        read_array_file(path)


def test_a_flipped_bit_in_the_index_is_noticed(path):
    data = bytearray(path.read_bytes())
    data[100] ^= 4
    path.write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        read_array_file(path)


def test_random_pickles_never_escape_as_other_errors(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(200):
        craft(tmp_path / "fuzz.pkl", b"\x80\x05" + rng.bytes(40) + b".")
        try:
            read_array_file(tmp_path / "fuzz.pkl")
        except UserError:
            pass


@pytest.mark.parametrize(
    "packed", [("|O8", (1,), b"8" * 8), ("<f4", (3,), b"8" * 8), ("<f4", (-1, -2), b"8" * 8)]
)
def test_stored_arrays_of_wrong_type_or_size_are_refused(packed):
    with pytest.raises(ValueError):
        unpack_array(packed)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere.pkl"):
        read_array_file(tmp_path / "nowhere.pkl")
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("place", [-65, -4000])
def test_a_flipped_bit_in_an_array_is_found_by_verification(path, place):
    array_file.verify_array_file(path)
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    read_array_file(path)  # opening does not read the arrays
    with pytest.raises(UserError, match="was changed"):
        array_file.verify_array_file(path)


def test_pieces_of_an_array_are_read_from_the_file(path):
    opened = read_array_file(path)
    packed = ("|u1", (8000,), opened.content["arrays"]["a"][2])
    array = array_file.array_file(packed, np.dtype("<f8"), opened)
    assert len(array) == 1000
    assert array.read(5, 8).tolist() == [5, 6, 7]
    assert array.read(3, 3).tolist() == []
    with pytest.raises(UserError, match="ends too early"):
        array.read(999, 1100)


def test_an_open_file_is_copied_into_a_buffer_file(tmp_path):
    data = np.random.default_rng(0).bytes(3 << 20)
    with open(tmp_path / "source", "w+b") as source, open(tmp_path / "empty", "w+b") as empty:
        source.write(data)
        content = [array_file.pack_file(source), array_file.pack_file(empty)]
        write_array_file(tmp_path / "set.pkl", content)
    copied, nothing = read_array_file(tmp_path / "set.pkl").content
    assert unpack_array(copied).tobytes() == data and unpack_array(nothing).size == 0
    array_file.verify_array_file(tmp_path / "set.pkl")
