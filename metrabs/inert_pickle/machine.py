"""The stack machine that interprets the opcodes of a pickle."""

from __future__ import annotations

import codecs
import io
import pickle
import pickletools
from collections.abc import Container, Iterable, Iterator
from typing import IO, Any, Callable, Optional, Union

from metrabs.inert_pickle.extent import check_extent
from metrabs.inert_pickle.objects import (
    ARRAYS,
    DataType,
    Global,
    PickledObject,
    UnfinishedArray,
    append_items,
    called,
    checked_key,
    set_items,
)

_MIN_VISITS, _VISITS_PER_OPCODE = 1_000_000, 20
_MARK = object()
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}


def load(
    source: Union[bytes, memoryview, IO[bytes]],
    buffers: Iterable[Any] = (),
    persistent_load: Optional[Callable[[Any], Any]] = None,
    admitted: Optional[Container[str]] = ARRAYS,
) -> Any:
    """Reads one pickle of any protocol, written by Python 2 or 3.

    Args:
        source: Content, or a file at the place where the pickle begins; it is then read to the
            end of the pickle.
        buffers: Out-of-band buffers of protocol 5.
        persistent_load: Makes an object of a persistent ID; default: there must not be any.
        admitted: Full names of the classes and functions to which the pickle may refer; None: any
            of them. Those that are not known here become a `PickledObject` or `Global`.

    Returns:
        Plain values, containers, NumPy arrays of numbers and strings, and arrays of these.
        Strings of Python 2 are decoded as Latin-1.

    Raises:
        pickle.UnpicklingError: The pickle is damaged, or its content is not admissible.
    """
    is_content = isinstance(source, (bytes, bytearray, memoryview))
    file = _BoundedFile(io.BytesIO(source) if is_content else source)  # type: ignore[arg-type]
    machine = _StackMachine(iter(buffers), persistent_load, admitted)
    try:
        for opcode, argument in _opcodes(file):
            machine.step(opcode, argument)
    except pickle.UnpicklingError:
        raise
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        EOFError,
        StopIteration,
    ) as error:
        raise pickle.UnpicklingError(f"damaged pickle: {error}") from error
    result = machine.result()
    check_extent(result, max(_MIN_VISITS, _VISITS_PER_OPCODE * machine.num_steps))
    return result


class _StackMachine:
    """Interprets opcodes; see `pickletools` for what each of them does."""

    def __init__(
        self,
        buffers: Iterator[Any],
        persistent_load: Optional[Callable[[Any], Any]],
        admitted: Optional[Container[str]],
    ) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._buffers = buffers
        self._persistent_load = persistent_load
        self._admitted = admitted
        self.num_steps = 0

    def step(self, opcode: str, argument: Any) -> None:
        """Executes one opcode."""
        self.num_steps += 1
        if opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode]())
        elif opcode in _WITH_VALUE:
            self._stack.append(argument)
        else:
            method = getattr(self, f"_{opcode.lower()}", None)
            if method is None:
                raise pickle.UnpicklingError(f"opcode {opcode} is not admitted")
            method(argument)

    def result(self) -> Any:
        """Returns the object that the pickle describes."""
        if len(self._stack) != 1 or self._stack[0] is _MARK:
            raise pickle.UnpicklingError("damaged pickle: it describes no single object")
        return self._stack[0]

    def _take(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise pickle.UnpicklingError("damaged pickle: a value is missing")
        return value

    def _take_to_mark(self) -> list[Any]:
        position = len(self._stack) - 1
        while position >= 0 and self._stack[position] is not _MARK:
            position -= 1
        if position < 0:
            raise pickle.UnpicklingError("damaged pickle: a mark is missing")
        values = self._stack[position + 1 :]
        del self._stack[position:]
        return values

    def _stop(self, _: Any) -> None:
        pass

    _proto = _frame = _stop

    def _mark(self, _: Any) -> None:
        self._stack.append(_MARK)

    def _pop(self, _: Any) -> None:
        self._stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._take_to_mark()

    def _dup(self, _: Any) -> None:
        self._stack.append(self._stack[-1])

    def _tuple(self, _: Any) -> None:
        self._stack.append(tuple(self._take_to_mark()))

    def _tuple1(self, _: Any) -> None:
        self._stack.append((self._take(),))

    def _tuple2(self, _: Any) -> None:
        last = self._take()
        self._stack.append((self._take(), last))

    def _tuple3(self, _: Any) -> None:
        last, middle = self._take(), self._take()
        self._stack.append((self._take(), middle, last))

    def _list(self, _: Any) -> None:
        self._stack.append(self._take_to_mark())

    def _dict(self, _: Any) -> None:
        pairs = self._take_to_mark()
        self._stack.append({})
        set_items(self._stack[-1], pairs)

    def _frozenset(self, _: Any) -> None:
        self._stack.append(frozenset(map(checked_key, self._take_to_mark())))

    def _append(self, _: Any) -> None:
        value = self._take()
        append_items(self._stack[-1], [value])

    def _appends(self, _: Any) -> None:
        values = self._take_to_mark()
        append_items(self._stack[-1], values)

    def _setitem(self, _: Any) -> None:
        value, key = self._take(), self._take()
        set_items(self._stack[-1], [key, value])

    def _setitems(self, _: Any) -> None:
        pairs = self._take_to_mark()
        set_items(self._stack[-1], pairs)

    def _additems(self, _: Any) -> None:
        values = self._take_to_mark()
        if not isinstance(self._stack[-1], set):
            raise pickle.UnpicklingError("damaged pickle: items for something else than a set")
        self._stack[-1].update(map(checked_key, values))

    def _memoize(self, _: Any) -> None:
        self._put(len(self._memo))

    def _put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]
        if isinstance(self._stack[-1], UnfinishedArray):
            self._stack[-1].memo_index = index

    _binput = _long_binput = _put

    def _get(self, index: int) -> None:
        self._stack.append(self._memo[index])

    _binget = _long_binget = _get

    def _reference(self, module: Any, name: Any) -> Global:
        reference = Global(module, name)
        if self._admitted is not None and reference.name not in self._admitted:
            raise pickle.UnpicklingError(f"it refers to {reference.name}, which is not admitted")
        return reference

    def _global(self, argument: str) -> None:
        self._stack.append(self._reference(*argument.split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        name = self._take()
        self._stack.append(self._reference(self._take(), name))

    def _reduce(self, _: Any) -> None:
        arguments = self._take()
        self._stack.append(called(self._take(), arguments))

    _newobj = _reduce

    def _newobj_ex(self, _: Any) -> None:
        keywords, arguments = self._take(), self._take()
        self._stack.append(called(self._take(), (*arguments, keywords)))

    def _inst(self, argument: str) -> None:
        arguments = tuple(self._take_to_mark())
        self._stack.append(called(self._reference(*argument.split(" ", 1)), arguments))

    def _obj(self, _: Any) -> None:
        class_, *arguments = self._take_to_mark()
        self._stack.append(called(class_, tuple(arguments)))

    def _build(self, _: Any) -> None:
        state = self._take()
        target = self._stack[-1]
        if isinstance(target, UnfinishedArray):
            self._stack[-1] = array = target.finished(state)
            if target.memo_index is not None:
                self._memo[target.memo_index] = array
        elif isinstance(target, DataType):
            target.set_state(state)
        elif isinstance(target, PickledObject):
            target.state = state
        else:
            raise pickle.UnpicklingError("damaged pickle: a state for a plain value")

    def _next_buffer(self, _: Any) -> None:
        self._stack.append(memoryview(next(self._buffers)))

    def _readonly_buffer(self, _: Any) -> None:
        self._stack[-1] = memoryview(self._stack[-1]).toreadonly()

    def _persid(self, identifier: Any) -> None:
        if self._persistent_load is None:
            raise pickle.UnpicklingError("it refers to objects outside of the file")
        self._stack.append(self._persistent_load(identifier))

    def _binpersid(self, _: Any) -> None:
        self._persid(self._take())


def _opcodes(file: _BoundedFile) -> Iterator[tuple[str, Any]]:
    """Yields names and arguments, as `pickletools.genops`, which refuses strings of Python 2."""
    while True:
        code = file.read(1)
        opcode = _OPCODES.get(code.decode("latin-1"))
        if opcode is None:
            raise pickle.UnpicklingError(
                f"damaged pickle: unknown opcode {code!r}" if code else "the pickle is cut off"
            )
        if opcode.name == "STRING":
            yield opcode.name, _read_quoted(file)
        else:
            yield opcode.name, _argument(opcode, file)
        if opcode.name == "STOP":
            return


def _argument(opcode: pickletools.OpcodeInfo, file: Any) -> Any:
    return opcode.arg.reader(file) if opcode.arg is not None else None


def _read_quoted(file: _BoundedFile) -> str:
    line = file.readline().rstrip(b"\n")
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[-1:] != line[:1]:
        raise pickle.UnpicklingError("damaged pickle: a string without quotes")
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")  # type: ignore[attr-defined]


class _BoundedFile:
    """Reads no more than there is, since reading reserves memory for what is asked."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        start = file.tell()
        self._end = file.seek(0, io.SEEK_END)
        file.seek(start)
        self.readline, self.tell = file.readline, file.tell

    def read(self, num_bytes: int) -> bytes:
        """Reads up to so many bytes."""
        return self._file.read(min(num_bytes, self._end - self._file.tell()))


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_WITH_VALUE = frozenset(
    {
        "INT",
        "BININT",
        "BININT1",
        "BININT2",
        "LONG",
        "LONG1",
        "LONG4",
        "FLOAT",
        "BINFLOAT",
        "STRING",
        "BINSTRING",
        "SHORT_BINSTRING",
        "UNICODE",
        "SHORT_BINUNICODE",
        "BINUNICODE",
        "BINUNICODE8",
        "BINBYTES",
        "SHORT_BINBYTES",
        "BINBYTES8",
        "BYTEARRAY8",
    }
)
