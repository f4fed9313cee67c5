"""Resolves the name, URL or path of a model to the local folder of a SavedModel."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import shutil
from collections.abc import Sequence
from typing import Optional

from metrabs.errors import UserError
from metrabs.files import PathLike, sha256_of_file
from metrabs.hub import cache
from metrabs.hub.archive import DamagedArchiveError, extract_archive
from metrabs.hub.catalog import CatalogEntry, find_entry, known_names
from metrabs.hub.download import DownloadError, DownloadSettings, download, remove_part

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")


@dataclasses.dataclass(frozen=True)
class _DownloadRequest:
    """A model to download; it is cached under the first URL."""

    urls: tuple[str, ...]
    sha256: Optional[str]
    models: pathlib.Path
    settings: DownloadSettings
    progress: bool

    @property
    def folder(self) -> pathlib.Path:
        """The folder of the model in the cache."""
        return cache.model_folder(self.models, self.urls[0])

    def find_cached(self) -> Optional[pathlib.Path]:
        """Returns the model if it is cached under any of its URLs."""
        folders = (cache.model_folder(self.models, url) for url in self.urls)
        found = (cache.find_cached(folder, self.sha256) for folder in folders)
        return next(filter(None, found), None)


def resolve(
    name_or_path_or_url: PathLike,
    *,
    sha256: Optional[str] = None,
    mirrors: Sequence[str] = (),
    cache_dir: Optional[PathLike] = None,
    settings: Optional[DownloadSettings] = None,
    progress: bool = True,
) -> pathlib.Path:
    """Returns the folder of a SavedModel on this machine, downloading and unpacking it if needed.

    Models in the cache are used without network access. Any number of processes may request the
    same model at the same time: one downloads, the others wait.

    Args:
        name_or_path_or_url: A name (see `metrabs.hub.known_names`), the http(s) URL of an archive,
            a folder with a `saved_model.pb`, or a .tar.gz or .zip file. A folder or file takes
            precedence over a name.
        sha256: Expected digest of the archive, 64 hexadecimal digits. A cached copy that was not
            checked against it is replaced.
        mirrors: Further URLs of the same archive, tried after the regular ones.
        cache_dir: Folder of downloaded models; default $TFHUB_CACHE_DIR, else a folder for
            temporary files.
        settings: Timeouts and retries of downloads.
        progress: Whether to show a progress bar on the standard error stream.

    Raises:
        UserError: unknown name, unusable file or archive, wrong digest, no working URL,
            or a cache folder that cannot be written.
    """
    source = os.fspath(name_or_path_or_url)
    path = pathlib.Path(source).expanduser()
    models = cache.cache_folder(cache_dir)
    with cache.explained_failures(models):
        if not source.startswith(("http://", "https://")):
            if (path / "saved_model.pb").is_file():
                return _check_plain_folder(path, sha256)
            if path.is_file():
                return _resolve_archive(path, _normalize_sha256(sha256), models)
        entry = _entry_of(source, path)
        urls = (*entry.urls, *mirrors)
        digest = _normalize_sha256(entry.sha256 if sha256 is None else sha256)
        request = _DownloadRequest(urls, digest, models, settings or DownloadSettings(), progress)
        return request.find_cached() or _fetch(request)


def _check_plain_folder(path: pathlib.Path, sha256: Optional[str]) -> pathlib.Path:
    if sha256 is not None:
        raise UserError(
            f"'{path}' is a folder, and sha256 is the digest of an archive: omit sha256, or give "
            "the archive."
        )
    return path


def _entry_of(source: str, path: pathlib.Path) -> CatalogEntry:
    if source.startswith(("http://", "https://")):
        return CatalogEntry((source,))
    looks_like_path = "/" in source or os.sep in source or source.endswith(_ARCHIVE_SUFFIXES)
    if source in known_names() or not (looks_like_path or path.is_dir()):
        return find_entry(source)
    if path.is_dir():
        raise UserError(
            f"The folder '{source}' has no saved_model.pb: give the folder of a SavedModel."
        )
    raise UserError(
        f"No model at '{source}': expected the folder of a SavedModel, a .tar.gz or .zip file, "
        "an http(s) URL, or a name from metrabs.hub.known_names()."
    )


def _normalize_sha256(sha256: Optional[str]) -> Optional[str]:
    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UserError(
            f"sha256='{sha256}' is not a SHA-256 digest: expected 64 hexadecimal digits."
        )
    return sha256.lower() if sha256 else None


def _resolve_archive(
    archive: pathlib.Path, sha256: Optional[str], models: pathlib.Path
) -> pathlib.Path:
    # Size and time are part of the URL, so that a newer file of the same name counts as new.
    status = archive.stat()
    url = f"{archive.resolve().as_uri()}?size={status.st_size}&time={status.st_mtime_ns}"
    folder = cache.model_folder(models, url)
    if cached := cache.find_cached(folder, sha256):
        return cached
    models.mkdir(parents=True, exist_ok=True)
    with cache.exclusive(folder):
        if cached := cache.find_cached(folder, sha256):
            return cached
        try:
            return _install(archive, folder, url, sha256)
        except DamagedArchiveError as error:
            raise UserError(
                f"Cannot use '{archive}': {error}. Expected the .tar.gz or .zip of a SavedModel; "
                "get it again."
            ) from error


def _fetch(request: _DownloadRequest) -> pathlib.Path:
    request.models.mkdir(parents=True, exist_ok=True)
    reasons = []
    with cache.exclusive(request.folder):
        if cached := request.find_cached():
            return cached
        for url in request.urls:
            try:
                return _fetch_from(url, request)
            except (DownloadError, DamagedArchiveError) as error:
                reasons.append(f"{url}: {error}")
    raise UserError(
        f"Could not download the model ({'; '.join(reasons)}). Try again later to resume, "
        "or download the archive by other means and give its path instead."
    )


def _fetch_from(url: str, request: _DownloadRequest) -> pathlib.Path:
    try:
        return _download_and_install(url, request)
    except DamagedArchiveError:
        # From scratch: it may have been damaged in transit.
        return _download_and_install(url, request)


def _download_and_install(url: str, request: _DownloadRequest) -> pathlib.Path:
    # Each URL has its own partial file, in case their files differ.
    part = request.folder.with_name(f"{request.folder.name}.{cache.digest_of(url)[:8]}.part")
    download(url, part, request.settings, request.progress)
    try:
        model = _install(part, request.folder, request.urls[0], request.sha256)
    except (DamagedArchiveError, UserError):
        remove_part(part)
        raise
    remove_part(part)
    return model


def _install(
    archive: pathlib.Path, folder: pathlib.Path, url: str, sha256: Optional[str]
) -> pathlib.Path:
    """Verifies and unpacks an archive into the cache. The caller holds the lock."""
    if sha256 is not None and (actual := sha256_of_file(archive)) != sha256:
        raise DamagedArchiveError(f"its SHA-256 digest is {actual}, expected {sha256}")
    unpacked = folder.with_name(folder.name + ".metrabs.tmp")
    shutil.rmtree(unpacked, ignore_errors=True)  # left by a killed process
    unpacked.mkdir()
    try:
        extract_archive(archive, unpacked)
        model = cache.find_saved_model(unpacked)
        if model is None:
            raise UserError(
                f"The archive of '{url}' has no saved_model.pb at its root or in its top "
                "folder, so it is not a TensorFlow model: give the archive of a SavedModel."
            )
        return cache.place(model, folder, url, sha256)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
