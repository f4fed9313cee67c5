"""Finished work on disk: fingerprints of what a result depends on, and markers that record them.

A piece of work is complete when its marker, a small JSON file that is written last, carries the
fingerprint of the present settings. Work without such a marker is done again or continued.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike, sha256_of_file, write_text_atomically

_NUM_DIGITS = 16
_NOT_RECORDED = "not recorded"


def fingerprint(*values: Any) -> str:
    """Returns a digest (16 hexadecimal digits) of everything that a result depends on.

    Args:
        values: JSON values, dataclasses, paths and NumPy arrays, nested in any way. Lists and
            tuples count as equal, and so do mappings whose keys are in another order.

    Raises:
        TypeError: a value is of another type.
    """
    content = json.dumps(values, sort_keys=True, default=_plain_value)
    return hashlib.sha256(content.encode()).hexdigest()[:_NUM_DIGITS]


def content_identity(name: str) -> str:
    """Returns a name, followed by digests of the content that is found under it.

    Results that depend on a file or a model record this, since the content of a path may change.

    Args:
        name: Path of a file or of the folder of a SavedModel. Any other name, such as a URL, is
            returned as it is.
    """
    path = pathlib.Path(name)
    files = (path, path / "saved_model.pb", path / "variables" / "variables.index")
    digests = [sha256_of_file(file)[:_NUM_DIGITS] for file in files if file.is_file()]
    return " ".join([name, *digests])


def write_marker(marker: PathLike, fingerprint: str, **details: Any) -> None:
    """Marks work as complete; must be called when all its files are written.

    Args:
        marker: JSON file to write, atomically.
        fingerprint: Digest of what the work depends on, see `fingerprint`.
        details: JSON values to store with it, which `read_marker` returns.
    """
    record = {"fingerprint": fingerprint, **details}
    write_text_atomically(marker, json.dumps(record, indent=2, sort_keys=True))


def read_marker(marker: PathLike, fingerprint: str) -> Optional[dict[str, Any]]:
    """Returns the details of complete work, or None if it is not complete.

    Args:
        marker: File that `write_marker` may have written. A missing or damaged one, or one with
            another fingerprint, means that the work is not complete.
        fingerprint: Digest of what the work depends on now.
    """
    record = _read_json_object(marker)
    return record if record is not None and record.get("fingerprint") == fingerprint else None


def settings_changes(earlier: Mapping[str, Any], present: Mapping[str, Any]) -> list[str]:
    """Describes how settings differ, as JSON values: ['fov was 55, is 60'].

    Args:
        earlier: Settings of existing results by name.
        present: Settings of the new ones; a name that only one of both has counts as different.
    """
    earlier, present = (
        json.loads(json.dumps(dict(s), default=_plain_value)) for s in (earlier, present)
    )
    return [
        f"{name} was {earlier.get(name, _NOT_RECORDED)}, is {present.get(name, _NOT_RECORDED)}"
        for name in sorted({*earlier, *present})
        if name not in earlier or name not in present or earlier[name] != present[name]
    ]


def check_same_settings(record: PathLike, settings: Mapping[str, Any], remedy: str) -> None:
    """Checks that new results fit those that are in the folder of a record of settings.

    Args:
        record: JSON file that `write_settings` may have written.
        settings: Present settings.
        remedy: Sentence that says what to do if they differ.

    Raises:
        UserError: the recorded settings are others, or the record is damaged.
    """
    path = pathlib.Path(record)
    if not path.exists():
        return
    earlier = _read_json_object(path)
    changes = ["its record is damaged"] if earlier is None else settings_changes(earlier, settings)
    if changes:
        raise UserError(
            f"'{path.parent}' holds results of other settings ({'; '.join(changes)}). {remedy}"
        )


def write_settings(record: PathLike, settings: Mapping[str, Any]) -> None:
    """Records settings (JSON values, dataclasses, paths) for `check_same_settings`."""
    text = json.dumps(dict(settings), indent=2, sort_keys=True, default=_plain_value)
    write_text_atomically(record, text)


def _read_json_object(path: PathLike) -> Optional[dict[str, Any]]:
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _plain_value(value: Any) -> Any:
    """Returns a JSON value for an object that `json` cannot encode."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, pathlib.PurePath):
        return str(value)
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
        return {"dtype": str(value.dtype), "shape": value.shape, "sha256": digest}
    raise TypeError(f"A {type(value).__name__} has no fingerprint; give JSON values instead.")
