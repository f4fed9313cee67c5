"""Handing large arrays from a process to its parent through memory instead of a pipe.

The parent creates an anonymous file in memory; the other process opens it through the parent's
entry in /proc and writes its arrays, and the parent reads them. That is one copy on each side, at
the speed of memory once the file has been used before. Memory maps would save the copies, but
their page faults cost more, and the lifetime of the arrays' memory would have to be tracked.

Such a file has no name that could be left behind and is not limited by the size of /dev/shm. Where
they are not available (they are a feature of Linux), arrays are sent through the pipe.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

import numpy as np

# Smaller arrays are sent through the pipe. A process that is killed could leave half of a long
# message there, and the parent would wait for the other half forever.
_SMALLEST_SHARED_BYTES = 1 << 11
_numbers = itertools.count()


class ArrayLocation(NamedTuple):
    """Where in the file an array is stored."""

    offset: int
    shape: tuple[int, ...]
    dtype: str


class SharedMemoryHandle(NamedTuple):
    """How another process finds a file: its path, and the link target that identifies it."""

    path: str
    target: str


class SharedMemoryFile:
    """The parent's side: a file in memory to which another process writes, once or repeatedly.

    Attributes:
        handle: Handle for the other process; None where such files are not available.
    """

    def __init__(self) -> None:
        self.handle: Optional[SharedMemoryHandle] = None
        if hasattr(os, "memfd_create"):
            name = f"metrabs_batch_{next(_numbers)}"
            self._descriptor = os.memfd_create(name)
            path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
            self.handle = SharedMemoryHandle(path, os.readlink(path))

    def read(self, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns the arrays that the other process passed to `write_to_shared_memory`."""
        return {
            name: self._read_one(value) if isinstance(value, ArrayLocation) else value
            for name, value in arrays.items()
        }

    def close(self) -> None:
        """Frees the memory."""
        if self.handle is not None:
            self.handle = None
            os.close(self._descriptor)

    def _read_one(self, location: ArrayLocation) -> np.ndarray:
        array = np.empty(location.shape, location.dtype)
        rest, offset = array.data.cast("B"), location.offset
        while rest:
            num_bytes = os.preadv(self._descriptor, [rest], offset)
            if num_bytes == 0:
                raise EOFError("the memory file is shorter than its arrays")
            rest, offset = rest[num_bytes:], offset + num_bytes
        return array


def write_to_shared_memory(
    arrays: Mapping[str, np.ndarray], handle: Optional[SharedMemoryHandle]
) -> dict[str, Any]:
    """Writes large arrays to a file of the parent and returns their locations in place of them.

    Args:
        arrays: Contiguous arrays by name.
        handle: Handle of the parent's `SharedMemoryFile`; None returns all arrays unchanged.
    """
    if handle is None:
        return dict(arrays)
    written: dict[str, Any] = dict(arrays)
    with open(handle.path, "r+b", buffering=0) as file:
        # The parent may have closed the file and have opened another one under its number.
        if os.readlink(f"/proc/self/fd/{file.fileno()}") != handle.target:
            raise FileNotFoundError(f"{handle.target} was closed")
        for name, array in arrays.items():
            if array.nbytes >= _SMALLEST_SHARED_BYTES and not array.dtype.hasobject:
                written[name] = ArrayLocation(file.tell(), array.shape, array.dtype.str)
                rest = array.data.cast("B")
                while rest:
                    rest = rest[file.write(rest) :]
    return written
