"""Safe unpacking of untrusted archives (.tar.gz, .tar or .zip).

Only regular files and folders are created, only below the given folder, and never more than a
limit. The filters of Python's `tarfile` are not relied upon: early releases of Python 3.9-3.11
lack them, and they bound neither size nor number.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import pathlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any

from metrabs.errors import UserError

_CHUNK_BYTES = 1 << 20
# Bytes of a tar file between two members: headers, long names, padding.
_MAX_HEADER_BYTES = 1 << 20
# Errors by which the standard library reports damaged content. RuntimeError: too deeply nested
# headers, encrypted members, unknown compression.
_DAMAGE = (
    gzip.BadGzipFile, zlib.error, tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError,
    OverflowError, RuntimeError,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ArchiveLimits:
    """Upper limits on the content of an archive."""

    num_members: int = 10_000
    num_bytes: int = 1 << 34


DEFAULT_LIMITS = ArchiveLimits()


class DamagedArchiveError(Exception):
    """The archive is incomplete or damaged; a fresh download may help."""


def extract_archive(
    archive: pathlib.Path, folder: pathlib.Path, limits: ArchiveLimits = DEFAULT_LIMITS
) -> None:
    """Unpacks a .tar.gz, .tar or .zip file into an empty folder; the format is found by content.

    Permissions, owners and times in the archive are ignored.

    Raises:
        DamagedArchiveError: the file is not such an archive, or is damaged.
        UserError: it contains what a model never does: paths that lead out of the folder, links,
            devices, the same file twice, or too much.
    """
    extraction = _Extraction(archive, folder, limits)
    with open(archive, "rb") as file:
        signature = file.read(2)
    try:
        if signature == b"PK":
            _extract_zip(archive, extraction)
        else:
            _extract_tar(archive, extraction, is_gzip=signature == b"\x1f\x8b")
    except UserError:
        raise
    except _DAMAGE as error:
        raise DamagedArchiveError(f"damaged archive ({error or type(error).__name__})") from error


class _Extraction:
    """Creates the members of one archive and counts them."""

    def __init__(self, archive: pathlib.Path, folder: pathlib.Path, limits: ArchiveLimits) -> None:
        self.archive, self.folder, self.limits = archive, folder, limits
        self.num_members, self.num_bytes = 0, 0

    def refusal(self, reason: str) -> UserError:
        """Returns the error for content that a model never has."""
        return UserError(
            f"Refused to unpack '{self.archive}': {reason}. A SavedModel archive never "
            "contains this; get it from a trusted source."
        )

    def target(self, name: str, num_bytes: int) -> pathlib.Path:
        """Counts a member, checks its name and returns its path."""
        self.num_members += 1
        self.num_bytes += num_bytes
        if self.num_members > self.limits.num_members:
            raise self.refusal(f"it has more than {self.limits.num_members} members")
        if self.num_bytes > self.limits.num_bytes:
            raise self.refusal(f"its content exceeds {self.limits.num_bytes} bytes")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or any(c in name for c in "\\:\0"):
            raise self.refusal(f"the member {name!r} could lie outside of the folder")
        return self.folder.joinpath(*parts)

    def write_file(self, name: str, source: IO[bytes], num_bytes: int) -> None:
        """Writes a member of the announced size."""
        target = self.target(name, num_bytes)
        with self._clear_conflicts(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = open(target, "xb")
        with file:
            # At most the announced size, even if the stream delivers more.
            for start in range(0, num_bytes, _CHUNK_BYTES):
                chunk = source.read(min(_CHUNK_BYTES, num_bytes - start))
                if not chunk:
                    raise EOFError(f"the member {name!r} is cut off")
                file.write(chunk)

    def make_folder(self, name: str) -> None:
        """Creates a member that is a folder."""
        target = self.target(name, 0)
        with self._clear_conflicts(name):
            target.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def _clear_conflicts(self, name: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.refusal(f"the member {name!r} occurs twice") from error


class _MeteredStream:
    """Limits the number of bytes read since the last call of `allow`.

    `tarfile` reads a header extension of any size into memory; a small compressed file can hold a
    huge one.
    """

    def __init__(self, file: IO[bytes], extraction: _Extraction) -> None:
        self._file, self._extraction = file, extraction
        self._num_allowed = 0

    def allow(self, num_bytes: int) -> None:
        """Sets the number of bytes that may be read from now on."""
        self._num_allowed = num_bytes

    def read(self, num_bytes: int) -> bytes:
        """Reads up to `num_bytes` bytes, if they are allowed."""
        data = self._file.read(num_bytes)
        self._num_allowed -= len(data)
        if self._num_allowed < 0:
            raise self._extraction.refusal("it has a header of excessive size")
        return data


def _extract_tar(archive: pathlib.Path, extraction: _Extraction, is_gzip: bool) -> None:
    opened: Any = gzip.open(archive, "rb") if is_gzip else open(archive, "rb")
    with opened as file:
        stream = _MeteredStream(file, extraction)
        stream.allow(_MAX_HEADER_BYTES)
        # "r|": strictly forward; no header is read twice.
        with tarfile.open(fileobj=stream, mode="r|") as tar:  # type: ignore[call-overload]
            for member in tar:
                _extract_tar_member(tar, member, stream, extraction)
                stream.allow(_MAX_HEADER_BYTES)
        # The gzip checksum is at the very end, after the padding.
        while stream.read(_CHUNK_BYTES):
            pass


def _extract_tar_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, stream: _MeteredStream, extraction: _Extraction
) -> None:
    if member.isdir():
        return extraction.make_folder(member.name)
    source = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if source is None or member.size < 0:
        kind = "a link" if member.islnk() or member.issym() else "neither file nor folder"
        raise extraction.refusal(f"the member {member.name!r} is {kind}")
    stream.allow(member.size + _MAX_HEADER_BYTES)
    extraction.write_file(member.name, source, member.size)


def _extract_zip(archive: pathlib.Path, extraction: _Extraction) -> None:
    with zipfile.ZipFile(archive) as zip_file:
        for member in zip_file.infolist():
            # The upper half of the attributes is the mode of Unix; its file type must be
            # unknown (0), a folder (4) or a regular file (8).
            if member.external_attr >> 28 not in (0, 4, 8):
                raise extraction.refusal(f"the member {member.filename!r} is a link or a device")
            if member.is_dir():
                extraction.make_folder(member.filename)
                continue
            with zip_file.open(member) as source:
                extraction.write_file(member.filename, source, member.file_size)
                if source.read(1):  # also verifies the checksum
                    raise extraction.refusal(f"{member.filename!r} is larger than announced")
