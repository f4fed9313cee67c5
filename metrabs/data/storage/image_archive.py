"""Image archives: millions of small files in a few large ones.

File systems are slow with millions of files. A folder `NAME` can be packed into the archive
`NAME.packed`: an SQLite index with that name, which stores the position of each file, and shards
`NAME.packed-shard-00000`, ... with the concatenated files. SQLite comes with
Python. Archives `NAME.barecat` of the Barecat package have the same layout with more tables, so
they can also be read.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Optional

from metrabs.errors import UserError
from metrabs.files import PathLike, SharedFile, atomic_path

SUFFIX = ".packed"
_BARECAT_SUFFIX = ".barecat"
_SHARD_BYTES = 10 << 30
_OLD_INDEX_SUFFIX = "-sqlite-index"  # of Barecat's first versions


class ImageArchive:
    """Reads files from an archive; safe to use in several threads and processes, also forked.

    Args:
        path: Path of the archive, without the suffix of the shards.

    Raises:
        UserError: it is not an archive.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = str(path)
        old_index = self.path + _OLD_INDEX_SUFFIX
        self._index_path = old_index if os.path.exists(old_index) else self.path
        self._connections = threading.local()
        self._shards: dict[int, BinaryIO] = {}
        try:
            self._find("")
        except sqlite3.Error as error:
            raise UserError(
                f"'{self._index_path}' is not the index of an image archive ({error}). Pack the "
                "folder again by `python -m data_preparation.pack_images`."
            ) from error

    def read(self, name: str) -> Optional[bytes]:
        """Returns the bytes of a file, None if there is no such file.

        Args:
            name: path in the archive, with slashes.

        Raises:
            UserError: a shard is missing or too short.
        """
        place = self._find(name)
        if place is None:
            return None
        shard, offset, size = place
        try:
            data = os.pread(self._shard(shard).fileno(), size, offset)
        except FileNotFoundError as error:
            raise UserError(
                f"Image archive '{self.path}' lacks its shard {shard} ('{error.filename}'). Copy "
                "all files of the archive."
            ) from error
        if len(data) != size:
            raise UserError(
                f"Shard {shard} of the image archive '{self.path}' is too short. Copy it again."
            )
        return data

    def names(self) -> list[str]:
        """Returns the paths of all files in the archive, sorted."""
        rows = self._connection().execute("SELECT path FROM files ORDER BY path")
        return [name for (name,) in rows]

    def _find(self, name: str) -> Optional[tuple[int, int, int]]:
        query = 'SELECT shard, "offset", size FROM files WHERE path = ?'
        return self._connection().execute(query, (name,)).fetchone()

    def _connection(self) -> sqlite3.Connection:
        # SQLite's connections must not be carried across a fork or shared between threads.
        if getattr(self._connections, "process", None) != os.getpid():
            uri = f"{pathlib.Path(self._index_path).absolute().as_uri()}?mode=ro&immutable=1"
            self._connections.value = sqlite3.connect(uri, uri=True)
            self._connections.process = os.getpid()
        return self._connections.value

    def _shard(self, number: int) -> BinaryIO:
        if number not in self._shards:
            self._shards[number] = SharedFile(shard_path(self.path, number))
        return self._shards[number]


@functools.lru_cache(maxsize=4096)
def archive_of_folder(folder: str) -> Optional[ImageArchive]:
    """Returns the archive into which a folder was packed, or None if there is none next to it."""
    for path in (folder + SUFFIX, folder + _BARECAT_SUFFIX):
        if os.path.exists(path) or os.path.exists(path + _OLD_INDEX_SUFFIX):
            return ImageArchive(path)
    return None


def pack_folder(
    folder: PathLike,
    archive_path: PathLike,
    shard_bytes: int = _SHARD_BYTES,
    on_progress: Optional[Callable[[int], None]] = None,
) -> int:
    """Packs all files below a folder into a new archive.

    The index appears last, when all shards are complete.

    Args:
        folder: Folder whose files are packed in the order of their paths; they are not deleted.
        archive_path: Path of the archive.
        shard_bytes: Maximum size of a shard; a larger file gets a shard of its own.
        on_progress: Called with the number of files packed since the last call.

    Returns:
        The number of files.

    Raises:
        UserError: the folder is not there or the archive is there already.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise UserError(f"There is no folder '{folder}' to pack.")
    if os.path.exists(archive_path):
        raise UserError(f"The archive '{archive_path}' exists already. Delete it to pack again.")
    num_files = 0
    with (
        atomic_path(archive_path) as index_path,
        contextlib.closing(sqlite3.connect(index_path)) as index,
        _ShardWriter(str(archive_path), shard_bytes) as shards,
    ):
        index.execute("PRAGMA journal_mode = OFF")  # the file counts only when it is renamed
        index.execute(
            'CREATE TABLE files (path TEXT PRIMARY KEY, shard INTEGER, "offset" INTEGER, '
            "size INTEGER) WITHOUT ROWID"
        )
        for path in _files_below(folder):
            data = path.read_bytes()
            place = shards.write(data)
            name = path.relative_to(folder).as_posix()
            index.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (name, *place, len(data)))
            num_files += 1
            if on_progress is not None:
                on_progress(1)
        index.commit()
    return num_files


def shard_path(archive_path: str, number: int) -> str:
    """Returns the path of a shard of an archive."""
    return f"{archive_path}-shard-{number:05d}"


class _ShardWriter:
    """Appends files to shards; removes the shards if the block fails."""

    def __init__(self, archive_path: str, shard_bytes: int) -> None:
        self._archive_path = archive_path
        self._shard_bytes = shard_bytes
        self._files: list[BinaryIO] = []

    def __enter__(self) -> _ShardWriter:
        return self

    def __exit__(self, error_type: object, error: object, traceback: object) -> None:
        for file in self._files:
            file.close()
            if error_type is not None:
                os.unlink(file.name)

    def write(self, data: bytes) -> tuple[int, int]:
        """Returns the number of the shard and the position in it."""
        if not self._files or self._files[-1].tell() + len(data) > self._shard_bytes:
            if self._files:
                self._files[-1].close()
            self._files.append(open(shard_path(self._archive_path, len(self._files)), "wb"))
        position = self._files[-1].tell()
        self._files[-1].write(data)
        return len(self._files) - 1, position


def _files_below(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields all files in the order of their paths, without listing more than a folder at once."""
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            yield from _files_below(path)
        elif not path.name.startswith("."):
            yield path
