"""Objects that a pickle describes: NumPy arrays are made, all others are noted."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterable
from typing import Any, Callable, Optional

import numpy as np

_KEY_TYPES = (str, bytes, int, float, bool, type(None))
_NUMERIC_KINDS = "biufcSU"


class Global:
    """A class or function that a pickle refers to; it is not imported.

    Attributes:
        name: Full name, such as 'numpy.ndarray'.
    """

    def __init__(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise pickle.UnpicklingError("a class has a name that is not a string")
        self.name = f"{module}.{name}"


@dataclasses.dataclass(eq=False)
class PickledObject:
    """An object of a class that is not built, but described.

    Attributes:
        name: Full name of its class, or of the function that would make it.
        arguments: What the class or function would be called with.
        state: What `__setstate__` would get, or None.
        items: What would be appended to it (lists) or set in it (dictionaries).
    """

    name: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = dataclasses.field(default_factory=list)


class DataType:
    """The NumPy type that a pickle describes: `dtype(code, ...)`, then its byte order."""

    def __init__(self, code: Any) -> None:
        if not isinstance(code, str) or code[:1] not in (*_NUMERIC_KINDS, "O"):
            raise pickle.UnpicklingError(f"arrays of type {code!r} are not admitted")
        self.dtype = np.dtype(code)
        if self.dtype.names is not None or self.dtype.subdtype is not None:
            raise pickle.UnpicklingError("arrays of records are not admitted")

    def set_state(self, state: tuple[Any, ...]) -> None:
        """Sets the byte order; anything else that a state may hold is not admitted."""
        _, byte_order, subdtype, names, fields = state[:5]
        if any(part is not None for part in (subdtype, names, fields)):
            raise pickle.UnpicklingError("arrays of records are not admitted")
        if byte_order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("damaged pickle: unknown byte order")
        self.dtype = self.dtype.newbyteorder(byte_order)


class UnfinishedArray:
    """Stands for an array until its content comes in the pickle."""

    def __init__(self) -> None:
        self.memo_index: Optional[int] = None

    def finished(self, state: tuple[Any, ...]) -> np.ndarray:
        """Makes the array of (version, shape, type, is_fortran, content)."""
        shape, dtype, is_fortran, content = state[-4:]
        return _array(shape, dtype, "F" if is_fortran else "C", content)


def _array(shape: Any, dtype: Any, order: str, content: Any) -> np.ndarray:
    if not isinstance(dtype, DataType) or not _is_shape(shape):
        raise pickle.UnpicklingError("damaged pickle: an array without type or shape")
    num_values = 1
    for size in shape:
        num_values *= size  # integers of Python do not overflow
    if dtype.dtype.kind == "O":
        if not isinstance(content, list) or len(content) != num_values:
            raise pickle.UnpicklingError("damaged pickle: an array of objects without them")
        array = np.empty(num_values, object)
        for index, value in enumerate(content):  # an assignment of all would look into them
            array[index] = value
        return array.reshape(shape, order=order)  # type: ignore[call-overload]
    data = content.encode("latin-1") if isinstance(content, str) else content
    if memoryview(data).nbytes != num_values * dtype.dtype.itemsize:
        raise pickle.UnpicklingError("damaged pickle: an array has too few or too many bytes")
    flat = np.frombuffer(data, dtype.dtype)
    return flat.reshape(shape, order=order)  # type: ignore[call-overload]


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(isinstance(n, int) and n >= 0 for n in shape)


def called(callable_: Any, arguments: Any) -> Any:
    """Returns what a call would make if it is of a known kind, else a description of the call."""
    if not isinstance(callable_, Global) or not isinstance(arguments, tuple):
        raise pickle.UnpicklingError("damaged pickle: a call of something else than a class")
    # Version 2 of NumPy has moved its internals.
    name = callable_.name.replace("numpy._core.", "numpy.core.")
    if name == "copyreg._reconstructor" or name == "copy_reg._reconstructor":
        return PickledObject(arguments[0].name, arguments[1:])
    if name in _KNOWN_CALLS:
        return _KNOWN_CALLS[name](*arguments)
    return PickledObject(callable_.name, arguments)


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not admitted")
    return text.encode("latin-1")


def _scalar(dtype: Any, content: Any) -> Any:
    return _array((1,), dtype, "C", content)[0]


def _array_of_buffer(content: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    return _array(shape, dtype, "F" if order == "F" else "C", content)


def _ordered_dict(pairs: Iterable[Any] = ()) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    set_items(result, [value for pair in pairs for value in pair])
    return result


_KNOWN_CALLS: dict[str, Callable[..., Any]] = {
    "numpy.dtype": lambda code, *_: DataType(code),
    "numpy.core.multiarray._reconstruct": lambda *_: UnfinishedArray(),
    "numpy.ndarray": lambda *_: UnfinishedArray(),
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _array_of_buffer,
    "_codecs.encode": _encoded,
    "collections.OrderedDict": _ordered_dict,
    "builtins.bytes": lambda: b"",  # how protocols 0 to 2 write the empty one
    "__builtin__.bytes": lambda: b"",
    "builtins.set": lambda values=(): set(map(checked_key, values)),
    "__builtin__.set": lambda values=(): set(map(checked_key, values)),
    "builtins.bytearray": lambda content=b"", *_: bytes(content),
}


NOTHING: frozenset[str] = frozenset()
ARRAYS = frozenset(
    {*_KNOWN_CALLS, *(name.replace("numpy.core.", "numpy._core.") for name in _KNOWN_CALLS)}
)


def checked_key(key: Any) -> Any:
    """Returns a key whose hash is computed without recursion."""
    parts = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, _KEY_TYPES) or isinstance(part, np.generic) for part in parts):
        raise pickle.UnpicklingError("a key is neither a plain value nor a tuple of some")
    return key


def set_items(target: Any, pairs: list[Any]) -> None:
    """Sets alternating keys and values in a dictionary, or notes them for another object."""
    if isinstance(target, PickledObject):
        target.items.extend(zip(pairs[::2], pairs[1::2]))
    elif isinstance(target, dict) and len(pairs) % 2 == 0:
        for key, value in zip(pairs[::2], pairs[1::2]):
            target[checked_key(key)] = value
    else:
        raise pickle.UnpicklingError("damaged pickle: keys for something else than a dictionary")


def append_items(target: Any, values: list[Any]) -> None:
    """Appends values to a list, or notes them for another object."""
    if isinstance(target, PickledObject):
        target.items.extend(values)
    elif isinstance(target, list):
        target.extend(values)
    else:
        raise pickle.UnpicklingError("damaged pickle: items for something else than a list")
