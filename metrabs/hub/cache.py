"""The folder of downloaded models: the one of TensorFlow Hub, laid out in its way.

A model of some address lies in the folder `sha1(address)`; beside it `<folder>.descriptor.txt`
says for humans where it came from. So either library finds what the other has downloaded.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hashlib
import logging
import os
import pathlib
import re
import socket
import tempfile
from collections.abc import Iterator
from typing import Optional

from metrabs.errors import UserError
from metrabs.files import PathLike, replace_folder, write_text_atomically

_LOGGER = logging.getLogger(__name__)


def cache_folder(folder: Optional[PathLike] = None) -> pathlib.Path:
    """Returns `folder`, else $TFHUB_CACHE_DIR, else where TensorFlow Hub puts models itself."""
    chosen = folder or os.environ.get("TFHUB_CACHE_DIR")
    default = pathlib.Path(tempfile.gettempdir()) / "tfhub_modules"
    return pathlib.Path(chosen).expanduser() if chosen else default


def model_folder(cache: pathlib.Path, address: str) -> pathlib.Path:
    """Returns the place of the model of an address, whether it is there or not."""
    return cache / digest_of(address)


def digest_of(address: str) -> str:
    """Returns the SHA-1 digest by which an address is filed, 40 hexadecimal digits."""
    return hashlib.sha1(address.encode("utf-8")).hexdigest()


def find_saved_model(folder: pathlib.Path) -> Optional[pathlib.Path]:
    """Returns the folder that holds `saved_model.pb`: `folder`, or the only one inside it."""
    if (folder / "saved_model.pb").is_file():
        return folder
    below = list(folder.glob("*/saved_model.pb"))
    return below[0].parent if len(below) == 1 else None


def find_cached(folder: pathlib.Path, sha256: Optional[str]) -> Optional[pathlib.Path]:
    """Returns the SavedModel inside a model's folder in the cache, if it is there.

    Args:
        folder: the model's place, see `model_folder`.
        sha256: if given, only a model whose archive is on record with this digest counts.
            TensorFlow Hub keeps no such record.
    """
    is_acceptable = sha256 is None or _recorded_sha256(folder) == sha256
    return find_saved_model(folder) if is_acceptable else None


def place(
    unpacked: pathlib.Path, folder: pathlib.Path, address: str, sha256: Optional[str]
) -> pathlib.Path:
    """Moves a completely unpacked SavedModel to its place in the cache, in one step.

    Args:
        unpacked: the SavedModel's folder, on the same file system. It is gone afterwards.
        folder: its place. Whatever damaged or unverified is there is replaced.
        address: where the model came from, for the descriptor.
        sha256: verified digest of the archive, for the record.

    Returns:
        `folder`.
    """
    # Removed first and written last: a digest on record always belongs to what is there.
    _descriptor_path(folder).unlink(missing_ok=True)
    try:
        replace_folder(unpacked, folder)
    except OSError:
        # TensorFlow Hub, which does not know our lock, may have been faster.
        if sha256 is not None or find_saved_model(folder) is None:
            raise
        return folder
    lines = [
        f"Module: {address}",
        f"Download Time: {datetime.datetime.now()}",
        f"Downloader Hostname: {socket.gethostname()} (PID:{os.getpid()})",
        *([f"SHA-256: {sha256}"] if sha256 else []),
    ]
    write_text_atomically(_descriptor_path(folder), "\n".join(lines))
    return folder


@contextlib.contextmanager
def exclusive(folder: pathlib.Path) -> Iterator[None]:
    """Waits until no other process or thread works on this model, and keeps others out.

    The lock is held by the operating system on an open file, not by the file's existence: it is
    gone as soon as its holder is, even if that was killed. A file left behind locks nothing.
    """
    # Another name than TensorFlow Hub's lock, whose rules are different.
    path = folder.with_name(folder.name + ".metrabs.lock")
    descriptor = _acquire(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while still locked, see `_is_current`
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _acquire(path: pathlib.Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _LOGGER.warning("Waiting for another process that prepares the same model.")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _is_current(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_current(descriptor: int, path: pathlib.Path) -> bool:
    """Tells whether the locked file is still the one that others would open and lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def explained_failures(cache: pathlib.Path) -> Iterator[None]:
    """Turns a failure of the file system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"Cannot prepare the model in the cache '{cache}' ({error}). Check the space and "
            "permissions there, or choose another folder by setting TFHUB_CACHE_DIR."
        ) from error


def _descriptor_path(folder: pathlib.Path) -> pathlib.Path:
    return folder.with_name(folder.name + ".descriptor.txt")


def _recorded_sha256(folder: pathlib.Path) -> Optional[str]:
    try:
        text = _descriptor_path(folder).read_text(encoding="utf-8")
    except OSError:
        return None
    match = re.search(r"^SHA-256: ([0-9a-f]{64})$", text, re.MULTILINE)
    return match[1] if match else None
