"""Writing files and folders such that an interruption never leaves a damaged one behind.

Names of temporary files and folders name the process that writes them. Those of processes that
were killed are removed by the next process that writes to the same folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import pathlib
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from typing import Union

from metrabs.errors import UserError

PathLike = Union[str, "os.PathLike[str]"]

_FILE_MODE = 0o666  # less the umask
_FOLDER_MODE = 0o777
_MAX_STEM_LENGTH = 40  # of temporary names, which must not become too long for the file system


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary file next to `path`, which replaces `path` when the block succeeds.

    If the block raises, the temporary file is removed, and what was at `path` stays as it was.
    The temporary name keeps the suffix of `path`, since some writers choose the format by it.

    Args:
        path: Final path of the file. Missing parent folders are created.
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(target.parent, os.getpid())
    descriptor, name = tempfile.mkstemp(
        dir=target.parent, prefix=_temporary_prefix(target), suffix=f".tmp{target.suffix}"
    )
    os.close(descriptor)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        os.chmod(temporary, _FILE_MODE & ~_current_umask())
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty folder next to `path`, which replaces `path` when the block succeeds.

    If the block raises, the new folder is removed, and what was at `path` stays as it was.

    Args:
        path: Final path of the folder. Missing parent folders are created.
    """
    target = pathlib.Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_once(target.parent, os.getpid())
    temporary = pathlib.Path(
        tempfile.mkdtemp(dir=target.parent, prefix=_temporary_prefix(target), suffix=".tmp")
    )
    try:
        os.chmod(temporary, _FOLDER_MODE & ~_current_umask())
        yield temporary
        replace_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(new: PathLike, path: PathLike) -> None:
    """Renames the folder `new` to `path`, in place of a folder that is there.

    The old folder is renamed before it is deleted. A process that is killed between the two
    renames leaves it next to `path`, under the name `.<name>.old`.

    Raises:
        OSError: the folder cannot be renamed; then the old one is back in its place.
    """
    target = pathlib.Path(path)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)  # left behind by a process that was killed
    with contextlib.suppress(FileNotFoundError):
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        with contextlib.suppress(OSError):
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_is_saved_model_or_free(path: PathLike) -> None:
    """Checks that writing a SavedModel to `path` would destroy nothing else.

    Raises:
        UserError: there is a file, or a folder that is neither empty nor a SavedModel.
    """
    folder = pathlib.Path(path)
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / "saved_model.pb").exists()):
        raise UserError(
            f"'{folder}' exists and is not a SavedModel; remove it or choose another output "
            "folder."
        )


def write_text_atomically(path: PathLike, text: str) -> None:
    """Writes `text` (UTF-8) to `path` through a temporary file and a rename."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of_file(path: PathLike) -> str:
    """Returns the SHA-256 digest of a file as 64 lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _temporary_prefix(target: pathlib.Path) -> str:
    return f".{target.stem[:_MAX_STEM_LENGTH]}.{_machine()}-{os.getpid()}."


@functools.cache
def _machine() -> str:
    """Returns a short name of the set of processes among which process numbers are unique."""
    try:
        # Containers can share the name of a machine, but have process numbers of their own.
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


@functools.lru_cache(maxsize=1024)
def _sweep_once(folder: pathlib.Path, process: int) -> None:
    """Removes what processes that ended were writing to a folder; looks once per process."""
    del process  # only for the cache, which processes inherit
    name_of_temporary = re.compile(rf"\..*\.{_machine()}-(\d+)\.[^.]+\.tmp(\..*)?", re.DOTALL)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = name_of_temporary.fullmatch(entry.name)
            if match and not _is_running(int(match[1])):
                _remove(entry)


def _remove(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # elsewhere signal 0 is not a question
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to another user
        return True
    return True


def _current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


class SharedFile(io.FileIO):
    """A file open for reading that several objects use and that the last of them closes.

    Args:
        path: File to open.
    """

    def __init__(self, path: PathLike) -> None:
        super().__init__(os.fspath(path), "rb")

    def __del__(self) -> None:
        self.close()
