"""Handing large arrays from a process to its parent through memory instead of a pipe.

The parent makes an anonymous file in memory; the other process opens it through the parent's
entry in /proc and writes its arrays, and the parent reads them. That is a copy on each side, each
at the speed of memory once the file has been used before. Memory maps would save the copies, but
cost more than these for the page faults, and the arrays' memory would have to be kept track of.

Such a file has no name that could be left over and is not bound by the size of /dev/shm. Where
there are none (they are a feature of Linux), arrays are simply sent.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np

# Small arrays are sent. Of a long message, a process that is killed could leave half in the pipe,
# and the parent would wait for the other half forever.
_SMALLEST_SHARED_BYTES = 1 << 11
_numbers = itertools.count()


class Placement(NamedTuple):
    """Where in the file an array is."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


class Address(NamedTuple):
    """How another process finds a file: its path, and the target by which it can be sure."""

    path: str
    target: str


class SharedFile:
    """The parent's side: a file in memory to which another process writes, maybe repeatedly.

    Attributes:
        address: for the other process; None where there are no such files.
    """

    def __init__(self) -> None:
        self.address: Optional[Address] = None
        if hasattr(os, "memfd_create"):
            name = f"metrabs_batch_{next(_numbers)}"
            self._descriptor = os.memfd_create(name)
            path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
            self.address = Address(path, os.readlink(path))

    def read(self, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the arrays that were given to `placed_arrays` in the other process."""
        return {
            name: self._read_one(value) if isinstance(value, Placement) else value
            for name, value in arrays.items()
        }

    def close(self) -> None:
        """Frees the memory."""
        if self.address is not None:
            self.address = None
            os.close(self._descriptor)

    def _read_one(self, placement: Placement) -> np.ndarray:
        array = np.empty(placement.shape, placement.dtype)
        rest, offset = array.data.cast("B"), placement.offset
        while rest:
            num_bytes = os.preadv(self._descriptor, [rest], offset)
            if num_bytes == 0:
                raise EOFError("the memory file is shorter than its arrays")
            rest, offset = rest[num_bytes:], offset + num_bytes
        return array


def placed_arrays(arrays: Mapping[str, np.ndarray], address: Optional[Address]) -> dict[str, Any]:
    """Writes large arrays to a file of the parent and returns their places instead of them.

    Args:
        arrays: by name, contiguous.
        address: of the parent's `SharedFile`; None keeps all arrays as they are.
    """
    if address is None:
        return dict(arrays)
    placed: dict[str, Any] = dict(arrays)
    with open(address.path, "r+b", buffering=0) as file:
        # The parent may have closed the file and have opened another one under its number.
        if os.readlink(f"/proc/self/fd/{file.fileno()}") != address.target:
            raise FileNotFoundError(f"{address.target} was closed")
        for name, array in arrays.items():
            if array.nbytes >= _SMALLEST_SHARED_BYTES and not array.dtype.hasobject:
                placed[name] = Placement(file.tell(), array.shape, array.dtype.str)
                rest = array.data.cast("B")
                while rest:
                    rest = rest[file.write(rest):]
    return placed
