"""The cache of downloaded models, shared with TensorFlow Hub and laid out in the same way.

The model of a URL is in the folder `sha1(url)`; `<folder>.descriptor.txt` next to it states its
origin for humans. So either library finds models that the other has downloaded.
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
    """Returns `folder`, else $TFHUB_CACHE_DIR, else TensorFlow Hub's default folder."""
    chosen = folder or os.environ.get("TFHUB_CACHE_DIR")
    default = pathlib.Path(tempfile.gettempdir()) / "tfhub_modules"
    return pathlib.Path(chosen).expanduser() if chosen else default


def model_folder(cache: pathlib.Path, url: str) -> pathlib.Path:
    """Returns the folder of the model of a URL, which need not exist."""
    return cache / digest_of(url)


def digest_of(url: str) -> str:
    """Returns the SHA-1 digest of a URL, 40 hexadecimal digits."""
    return hashlib.sha1(url.encode("utf-8")).hexdigest()


def find_saved_model(folder: pathlib.Path) -> Optional[pathlib.Path]:
    """Returns the folder that holds `saved_model.pb`: `folder`, or the only one inside it."""
    if (folder / "saved_model.pb").is_file():
        return folder
    below = list(folder.glob("*/saved_model.pb"))
    return below[0].parent if len(below) == 1 else None


def find_cached(folder: pathlib.Path, sha256: Optional[str]) -> Optional[pathlib.Path]:
    """Returns the SavedModel in a model's folder in the cache, if it exists.

    Args:
        folder: Folder of the model, see `model_folder`.
        sha256: If given, only a model whose archive is recorded with this digest counts.
            TensorFlow Hub does not record digests.
    """
    is_acceptable = sha256 is None or _recorded_sha256(folder) == sha256
    return find_saved_model(folder) if is_acceptable else None


def place(
    unpacked: pathlib.Path, folder: pathlib.Path, url: str, sha256: Optional[str]
) -> pathlib.Path:
    """Atomically moves an unpacked SavedModel to its folder in the cache.

    Args:
        unpacked: Folder of the SavedModel, on the same file system. It is moved away.
        folder: Its folder in the cache. A damaged or unverified model there is replaced.
        url: Origin of the model, for the descriptor.
        sha256: Verified digest of the archive, for the record.

    Returns:
        `folder`.
    """
    # Removed first and written last: a recorded digest always belongs to the present model.
    _descriptor_path(folder).unlink(missing_ok=True)
    try:
        replace_folder(unpacked, folder)
    except OSError:
        # TensorFlow Hub, which does not use our lock, may have been faster.
        if sha256 is not None or find_saved_model(folder) is None:
            raise
        return folder
    lines = [
        f"Module: {url}",
        f"Download Time: {datetime.datetime.now()}",
        f"Downloader Hostname: {socket.gethostname()} (PID:{os.getpid()})",
        *([f"SHA-256: {sha256}"] if sha256 else []),
    ]
    write_text_atomically(_descriptor_path(folder), "\n".join(lines))
    return folder


@contextlib.contextmanager
def exclusive(folder: pathlib.Path) -> Iterator[None]:
    """Locks a model against other processes and threads; waits until the lock is free.

    The operating system holds the lock on an open file; the existence of the file does not matter.
    The lock ends with the process that holds it, even if that is killed.
    """
    # Not the name of TensorFlow Hub's lock, whose rules are different.
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
    """Returns whether the locked file is still the one that others would open and lock."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def explained_failures(cache: pathlib.Path) -> Iterator[None]:
    """Turns file system errors into user errors that say what to do."""
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
