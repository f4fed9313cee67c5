from __future__ import annotations

import os

import numpy as np
import pytest

from metrabs.data.loading.shared_memory import (
    ArrayLocation,
    SharedMemoryFile,
    write_to_shared_memory,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="not Linux")


@pytest.fixture
def file():
    shared = SharedMemoryFile()
    yield shared
    shared.close()


def batch(value, num_large=70_000):
    return {
        "a": np.full((3, num_large), value, np.uint8),
        "b": np.full((5, 4000), value / 2),
        "small": np.full((2, 3), value, np.float32),
        "text": np.array([b"x", b"yz"], object),
    }


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, array in expected.items():
        assert actual[name].dtype == array.dtype
        assert np.array_equal(actual[name], array)


def test_large_arrays_go_through_the_file_and_others_are_sent(file):
    placed = write_to_shared_memory(batch(7), file.handle)
    assert [isinstance(v, ArrayLocation) for v in placed.values()] == [True, True, False, False]
    assert_same(file.read(placed), batch(7))


def test_a_file_can_be_used_again_while_what_was_read_stays(file):
    first = file.read(write_to_shared_memory(batch(1), file.handle))
    for value, size in ((2, 90_000), (3, 66_000)):
        assert_same(
            file.read(write_to_shared_memory(batch(value, size), file.handle)), batch(value, size)
        )
    first["a"][0, 0] = 1  # writable
    assert_same(first, batch(1))


def test_another_file_under_the_same_number_is_not_touched(file, tmp_path):
    handle = file.handle
    file.close()
    with open(tmp_path / "precious", "w+b") as other:
        assert handle.path.endswith(f"/{other.fileno()}")
        with pytest.raises(FileNotFoundError):
            write_to_shared_memory(batch(1), handle)
    assert (tmp_path / "precious").stat().st_size == 0


def test_without_a_file_all_arrays_are_sent():
    arrays = batch(1)
    sent = write_to_shared_memory(arrays, None)
    assert all(a is b for a, b in zip(sent.values(), arrays.values()))
