"""Resumable HTTP downloads over unreliable connections.

Only completeness is verified here; verifying the content is up to the caller.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import pathlib
import re
import time
import urllib.error
import urllib.request
from typing import Any, Optional

from tqdm.auto import tqdm

from metrabs.files import write_text_atomically

_CHUNK_BYTES = 1 << 18
_MAX_BACKOFF_S = 30.0
# Too early, too many requests, timeouts and server errors: a later attempt may succeed.
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclasses.dataclass(frozen=True)
class DownloadSettings:
    """Timeouts, retries and limits of a download.

    Attributes:
        timeout_s: Longest silence of a server before it counts as stalled, in seconds.
        num_attempts: Consecutive attempts without any progress before a URL is given up.
        backoff_s: Pause before the second attempt, in seconds. It doubles with each further
            attempt, up to half a minute.
        max_bytes: Largest accepted file size.
    """

    timeout_s: float = 30.0
    num_attempts: int = 5
    backoff_s: float = 1.0
    max_bytes: int = 1 << 34


class DownloadError(Exception):
    """A URL was given up; the message is the reason."""


class _InterruptedTransfer(Exception):
    """One attempt failed, but another may succeed; the message is the reason."""


def download(url: str, part: pathlib.Path, settings: DownloadSettings, progress: bool) -> None:
    """Downloads `url` to `part`, or resumes its download.

    A small file `<part>.json` next to `part` records the version of the remote file.

    Args:
        url: HTTP or HTTPS URL; redirections are followed.
        part: File that grows during the download. After a failure it is kept for the next attempt.
        settings: Timeouts, retries and limits.
        progress: Whether to show a progress bar, in bytes.

    Raises:
        DownloadError: the URL was given up.
        OSError: `part` cannot be written.
    """
    bar = tqdm(
        desc=url.rpartition("/")[2], unit="B", unit_scale=True, unit_divisor=1024,
        disable=not progress,
    )  # fmt: skip
    num_failures, most_bytes = 0, _size(part)
    with bar:
        while True:
            try:
                return _transfer(url, part, settings, bar)
            except _InterruptedTransfer as error:
                has_grown = _size(part) > most_bytes
                most_bytes = max(most_bytes, _size(part))
                num_failures = 1 if has_grown else num_failures + 1
                if num_failures >= settings.num_attempts:
                    raise DownloadError(str(error)) from error
            time.sleep(min(settings.backoff_s * 2 ** (num_failures - 1), _MAX_BACKOFF_S))


def remove_part(part: pathlib.Path) -> None:
    """Removes a partial download and its note."""
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def _transfer(url: str, part: pathlib.Path, settings: DownloadSettings, bar: tqdm) -> None:
    note = _read_note(part)
    if _size(part) and _size(part) == note.get("num_bytes"):
        return  # complete; the process was interrupted afterwards
    with _open_url(url, part, note.get("version"), settings.timeout_s) as response:
        offset, num_bytes = _placement(response, part)
        if max(offset, num_bytes or 0) > settings.max_bytes:
            raise DownloadError(f"the file is larger than {settings.max_bytes} bytes")
        version = _version(response)
        note_text = json.dumps({"num_bytes": num_bytes, "version": version})
        write_text_atomically(_note_path(part), note_text)
        bar.total, bar.n = num_bytes, offset
        _append(response, part, offset, settings.max_bytes, bar)
    if num_bytes is not None and _size(part) != num_bytes:
        raise _InterruptedTransfer(f"the transfer ended after {_size(part)} of {num_bytes} bytes")


def _open_url(url: str, part: pathlib.Path, version: Optional[str], timeout_s: float) -> Any:
    """Sends the request; if there is a partial file, only for the missing bytes."""
    headers = {"User-Agent": "metrabs", "Accept-Encoding": "identity"}
    if _size(part):
        headers["Range"] = f"bytes={_size(part)}-"
        if version:
            headers["If-Range"] = version  # if the file has changed, all of it is sent
    try:
        request = urllib.request.Request(url, headers=headers)
        return urllib.request.urlopen(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"the server answered {error.code} {error.reason}"
        if error.code == 416:  # our part does not fit the file on the server: start again
            remove_part(part)
        elif error.code not in _TRANSIENT_STATUS:
            raise DownloadError(reason) from error
        raise _InterruptedTransfer(reason) from error
    except (ValueError, http.client.InvalidURL) as error:
        raise DownloadError(f"not a valid URL ({error})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _InterruptedTransfer(_reason(error)) from error


def _placement(response: Any, part: pathlib.Path) -> tuple[int, Optional[int]]:
    """Returns the offset of the response's bytes in the file, and its full size if known."""
    if response.status == 200:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    content_range = response.headers.get("Content-Range", "")
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", content_range.strip())
    if response.status != 206 or not match or int(match[1]) != _size(part):
        remove_part(part)
        raise _InterruptedTransfer(
            f"unexpected answer {response.status} with the range '{content_range}'"
        )
    return _size(part), None if match[2] == "*" else int(match[2])


def _append(response: Any, part: pathlib.Path, offset: int, max_bytes: int, bar: tqdm) -> None:
    with open(part, "ab" if offset else "wb") as file:
        while chunk := _read_chunk(response):
            file.write(chunk)
            bar.update(len(chunk))
            if file.tell() > max_bytes:
                raise DownloadError(f"the file is larger than {max_bytes} bytes")


def _read_chunk(response: Any) -> bytes:
    # `read1` returns what has arrived, so that little is lost if the connection breaks.
    try:
        return response.read1(_CHUNK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _InterruptedTransfer(_reason(error)) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    return str(reason) or type(reason).__name__


def _version(response: Any) -> Optional[str]:
    """Returns the identifier of this version of the file for an `If-Range` header."""
    etag = response.headers.get("ETag", "")
    is_strong = etag and not etag.startswith("W/")
    return etag if is_strong else response.headers.get("Last-Modified")


def _size(path: pathlib.Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _note_path(part: pathlib.Path) -> pathlib.Path:
    return part.with_name(part.name + ".json")


def _read_note(part: pathlib.Path) -> dict[str, Any]:
    try:
        note = json.loads(_note_path(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
