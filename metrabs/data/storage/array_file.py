"""A file of arrays that opens in milliseconds: a pickle followed by its buffers.

Layout: a 64-byte header, a pickle (protocol 5) of plain Python values, the table of buffers, then
the buffers themselves, each at a multiple of 64 bytes. The arrays are out-of-band buffers of the
pickle, so opening the file reads the pickle only; array data is memory-mapped and shared between
processes. Pages read through a memory map count as memory of the process, though, so
large arrays are better read piece by piece through `ArrayFile`, which keeps nothing in memory.

The pickle holds dictionaries, lists, tuples, strings, numbers and buffers, nothing else: an array
is the tuple (dtype, shape, buffer). The unpickler therefore admits no class or function at all,
and a file cannot run code.
"""

from __future__ import annotations

import math
import mmap
import os
import pathlib
import pickle
import struct
import zlib
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np

from metrabs import inert_pickle
from metrabs.errors import UserError
from metrabs.files import PathLike, SharedFile, atomic_path

FORMAT_VERSION = 2

_MAGIC = b"METRABSCACHE\x00\xff\r\n"
# magic, version, CRC of pickle and table, size of the pickle, number of buffers, size of the file
_HEADER = struct.Struct("<16sIIQQQ16x")
_BUFFER = struct.Struct("<QQQ")  # position, size, CRC
_BLOCK_BYTES = 1 << 24
_ALIGNMENT = 64
_DTYPES = ("|u1", "|i1", "|b1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8")


class OpenedFile(NamedTuple):
    """An opened file, see `read_array_file`.

    Attributes:
        content: The content that was written.
        checksum: Checksum of the index; it identifies the file.
        file: Open file, for `ArrayFile`.
        mapped: uint8, all bytes of the file.
    """

    content: Any
    checksum: int
    file: SharedFile
    mapped: np.ndarray


class ArrayFile:
    """An array in a file, read piece by piece; safe to use in several processes, also forked.

    Args:
        file: Open file.
        position: Position of the first byte of the array.
        dtype: Type of the elements.
        length: Number of elements.
    """

    def __init__(self, file: SharedFile, position: int, dtype: np.dtype, length: int) -> None:
        self._file = file  # stays open as long as it is needed
        self._descriptor = file.fileno()
        self._position = position
        self.dtype = dtype
        self._length = length

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, stop: int) -> np.ndarray:
        """Returns a range of the elements, read-only.

        Raises:
            UserError: the file has become shorter.
        """
        num_bytes = (stop - start) * self.dtype.itemsize
        position = self._position + start * self.dtype.itemsize
        data = os.pread(self._descriptor, num_bytes, position)
        while len(data) < num_bytes:  # the system reads at most 2 GiB at once
            more = os.pread(self._descriptor, num_bytes - len(data), position + len(data))
            if not more:
                raise _damaged(pathlib.Path(self._file.name), "it ends too early")
            data += more
        return np.frombuffer(data, self.dtype)


def pack_array(array: np.ndarray) -> tuple[str, tuple[int, ...], pickle.PickleBuffer]:
    """Returns the form in which an array is stored in the content of a file."""
    array = np.ascontiguousarray(array).reshape(np.shape(array))
    if array.dtype.str not in _DTYPES:
        raise TypeError(f"arrays of type {array.dtype} cannot be stored")
    return array.dtype.str, array.shape, pickle.PickleBuffer(array)  # type: ignore[arg-type]


def unpack_array(packed: Any) -> np.ndarray:
    """Returns the read-only array of a stored form, without copying its data.

    Raises:
        ValueError: the stored form is not what `pack_array` makes.
    """
    dtype, shape, buffer = packed
    if dtype not in _DTYPES or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError(f"an array of type {dtype!r} and shape {shape!r}")
    if math.prod(shape) * np.dtype(dtype).itemsize != memoryview(buffer).nbytes:
        raise ValueError(f"an array of shape {shape} whose data have a different size")
    return np.frombuffer(buffer, dtype).reshape(shape)


def pack_file(file: IO[bytes]) -> tuple[str, tuple[int, ...], pickle.PickleBuffer]:
    """Returns the stored form of the bytes in an open file, as an array of uint8."""
    file.flush()
    num_bytes = file.seek(0, os.SEEK_END)
    if not num_bytes:  # cannot be mapped
        return pack_array(np.zeros(0, np.uint8))
    mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return "|u1", (num_bytes,), pickle.PickleBuffer(mapped)  # type: ignore[arg-type]


def write_array_file(path: PathLike, content: Any) -> None:
    """Writes plain Python values and packed arrays to a file, atomically.

    Args:
        path: Path of the file; packed arrays and files are copied block by block.
        content: Nested dictionaries, lists and tuples of strings, numbers and packed arrays.
    """
    buffers: list[memoryview] = []
    pickled = pickle.dumps(
        content, protocol=5, buffer_callback=lambda buffer: buffers.append(buffer.raw())
    )
    table = b""
    index_bytes = _HEADER.size + len(pickled) + len(buffers) * _BUFFER.size
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.seek(index_bytes)
        for buffer in buffers:
            _pad(file)
            table += _BUFFER.pack(file.tell(), buffer.nbytes, _write_block_by_block(file, buffer))
        _pad(file)
        num_bytes = file.tell()
        file.seek(0)
        checksum = zlib.crc32(pickled + table)
        file.write(
            _HEADER.pack(_MAGIC, FORMAT_VERSION, checksum, len(pickled), len(buffers), num_bytes)
        )
        file.write(pickled + table)


def _write_block_by_block(file: BinaryIO, buffer: memoryview) -> int:
    """Appends a buffer to a file and returns its CRC."""
    checksum = 0
    for start in range(0, buffer.nbytes, _BLOCK_BYTES):
        block = buffer[start : start + _BLOCK_BYTES]
        checksum = zlib.crc32(block, checksum)
        file.write(block)
        if isinstance(buffer.obj, mmap.mmap):  # else the file copied would count as our memory
            buffer.obj.madvise(mmap.MADV_DONTNEED)
    return checksum


def read_array_file(path: PathLike) -> OpenedFile:
    """Opens a file written by `write_array_file`; the buffers are memory-mapped, not read.

    Raises:
        UserError: there is no such file, it is not of this kind or version, or it is damaged.
    """
    path = pathlib.Path(path)
    try:
        file = SharedFile(path)
        mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # mmap refuses an empty file by ValueError
        reason = "is empty" if isinstance(error, ValueError) else str(error)
        raise UserError(f"Cache file '{path}' cannot be opened: {reason}.") from error
    pickle_bytes, table, checksum = _check_index(path, mapped)
    buffers = [mapped[start : start + num_bytes] for start, num_bytes, _ in table]
    try:
        index = mapped[_HEADER.size : _HEADER.size + pickle_bytes]
        content = inert_pickle.load(index, buffers, admitted=inert_pickle.NOTHING)
    except pickle.UnpicklingError as error:
        raise _damaged(path, str(error)) from error
    return OpenedFile(content, checksum, file, np.frombuffer(mapped, np.uint8))


def verify_array_file(path: PathLike) -> None:
    """Reads a whole file and compares it with its checksums.

    Raises:
        UserError: as `read_array_file`, or any byte was changed.
    """
    path = pathlib.Path(path)
    opened = read_array_file(path)
    _, table, _ = _check_index(path, opened.mapped.data)
    for i, (start, num_bytes, expected) in enumerate(table):
        checksum = 0
        bytes_of_file = ArrayFile(opened.file, start, np.dtype(np.uint8), num_bytes)
        for first in range(0, num_bytes, _BLOCK_BYTES):
            block = bytes_of_file.read(first, min(first + _BLOCK_BYTES, num_bytes))
            checksum = zlib.crc32(block.data, checksum)
        if checksum != expected:
            raise _damaged(path, f"its array {i + 1} of {len(table)} was changed")


def array_file(packed: Any, dtype: np.dtype, opened: OpenedFile) -> ArrayFile:
    """Returns a stored array of uint8 as one of another type that is read piece by piece.

    Raises:
        ValueError: the stored form is not what `pack_array` makes.
    """
    data = unpack_array(packed)
    position = data.ctypes.data - opened.mapped.ctypes.data if data.size else 0
    return ArrayFile(opened.file, position, dtype, len(data) // dtype.itemsize)


def _check_index(
    path: pathlib.Path, mapped: memoryview
) -> tuple[int, list[tuple[int, int, int]], int]:
    """Returns the size of the pickle, the table of buffers and the checksum of the index."""
    pickle_bytes, num_buffers, checksum = _check_header(path, mapped)
    table_start = _HEADER.size + pickle_bytes
    table_stop = table_start + num_buffers * _BUFFER.size
    if table_stop > len(mapped) or zlib.crc32(mapped[_HEADER.size : table_stop]) != checksum:
        raise _damaged(path, "its index does not match its checksum")
    return pickle_bytes, list(_BUFFER.iter_unpack(mapped[table_start:table_stop])), checksum


def _check_header(path: pathlib.Path, mapped: memoryview) -> tuple[int, int, int]:
    if len(mapped) < _HEADER.size or bytes(mapped[: len(_MAGIC)]) != _MAGIC:
        raise UserError(
            f"'{path}' is not a METRABS cache file. Prepare the dataset with the scripts "
            "in data_preparation/."
        )
    _, version, checksum, pickle_bytes, num_buffers, num_bytes = _HEADER.unpack_from(mapped)
    if version != FORMAT_VERSION:
        raise UserError(
            f"Cache file '{path}' has format version {version}, this program reads version "
            f"{FORMAT_VERSION}. Prepare the dataset again with the current data_preparation/ "
            "scripts."
        )
    if num_bytes != len(mapped):
        raise _damaged(path, f"it has {len(mapped)} bytes instead of {num_bytes}")
    return pickle_bytes, num_buffers, checksum


def _damaged(path: pathlib.Path, reason: str) -> UserError:
    return UserError(f"Cache file '{path}' is damaged: {reason}. Regenerate or re-copy it.")


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT


def _pad(file: BinaryIO) -> None:
    file.write(b"\0" * (_aligned(file.tell()) - file.tell()))
