"""Reading weights from files in PyTorch's old format (before 1.6), without PyTorch.

Such a file is a sequence of five pickles (magic number, protocol, system information, state dict,
the list of storage keys), then, for each key, an int64 element count and the raw elements. The
pickles are read by an unpickler that admits nothing but what a dict of tensors needs.
"""

from __future__ import annotations

import collections
import dataclasses
import pickle
from typing import Any, BinaryIO, Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_STORAGE_DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


@dataclasses.dataclass
class _Tensor:
    """A view of a storage that is read later; strides count elements, not bytes."""

    storage_key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_state_dict(path: PathLike) -> dict[str, np.ndarray]:
    """Reads a state dict: {parameter name: array}, in PyTorch's axis order.

    Raises:
        UserError: the file is missing, damaged, of another format, or holds other objects.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except OSError as error:
        raise UserError(f"The weights file {path} cannot be read: {error.strerror}.") from error
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        KeyError,
        AttributeError,
        TypeError,
        IndexError,
    ) as error:
        raise UserError(
            f"The file {path} is not a state dict in PyTorch's old format: {error}."
        ) from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    if _load(file) != _MAGIC_NUMBER:
        raise ValueError("wrong magic number")
    _load(file), _load(file)  # protocol version, system information
    dtypes: dict[str, str] = {}
    state = _load(file, dtypes)
    storages = {key: _read_storage(file, dtypes[key]) for key in _load(file)}
    return {
        name: _as_array(value, storages[value.storage_key])
        for name, value in state.items()
        if isinstance(value, _Tensor)
    }


def _read_storage(file: BinaryIO, dtype: str) -> np.ndarray:
    count = int(np.frombuffer(file.read(8), "<i8")[0])
    data = file.read(count * np.dtype(dtype).itemsize)
    if len(data) != count * np.dtype(dtype).itemsize:
        raise EOFError("the file is cut short")
    return np.frombuffer(data, dtype)


def _as_array(tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    """Applies offset and strides: many tensors of converted networks are not contiguous."""
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.strides))
    if min((tensor.offset, *tensor.strides, *tensor.shape)) < 0 or last >= len(storage):
        raise ValueError("a tensor reaches beyond its storage")
    view = np.lib.stride_tricks.as_strided(
        storage[tensor.offset :],
        tensor.shape,
        [stride * storage.itemsize for stride in tensor.strides],
        writeable=False,
    )
    return np.ascontiguousarray(view)


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, dtypes: dict[str, str]) -> None:
        super().__init__(file, encoding="latin1")
        self._dtypes = dtypes

    def find_class(self, module: str, name: str) -> Any:
        """Admits the parts of tensors and rejects everything else."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise pickle.UnpicklingError(f"it contains {module}.{name}, which weights do not need")

    def persistent_load(self, pid: Any) -> str:
        """Returns the key of a storage and notes its data type."""
        kind, dtype, key = pid[:3]
        if kind != "storage":
            raise pickle.UnpicklingError(f"it refers to an unknown kind of object, {kind}")
        self._dtypes[key] = dtype
        return key


def _load(file: BinaryIO, dtypes: Optional[dict[str, str]] = None) -> Any:
    return _Unpickler(file, {} if dtypes is None else dtypes).load()


def _rebuild_tensor(
    storage_key: str, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage_key, offset, tuple(shape), tuple(strides))
