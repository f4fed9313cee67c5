"""Finished sequences on disk, the unit of resumption.

A part is a small cache file with the examples of one sequence. Next to it is a record, which is
written last: the fingerprint of everything the examples depend on, and the counts of what was left
out. A sequence whose record has the present fingerprint is not converted again.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any, Optional

from data_preparation.common.converter import Converter
from data_preparation.common.issues import DEGRADED, IssueCounter
from data_preparation.common.setup import Setup
from metrabs.data.examples import Example
from metrabs.data.storage.cache import CacheWriter
from metrabs.resumable import fingerprint, read_marker, write_marker

# Increase it when the shared code gives other examples or records than before.
_SHARED_VERSION = 2


@dataclasses.dataclass(frozen=True)
class Part:
    """A finished sequence.

    Attributes:
        path: Its cache file.
        num_examples: Number of examples in it.
        issues: Counts of what was left out or degraded.
    """

    path: pathlib.Path
    num_examples: int
    issues: IssueCounter


def read_part(converter: Converter, setup: Setup, sequence: Any) -> Optional[Part]:
    """Returns the part of a sequence if it was finished with these settings, else None.

    In strict mode a part with degraded examples does not count.
    """
    path = _part_path(converter, setup, sequence)
    record = read_marker(_record_path(path), _fingerprint(converter, setup, sequence))
    if record is None or not path.exists():
        return None
    issues = IssueCounter.from_json(record["issues"])
    if setup.strict and any(kind == DEGRADED for kind, _ in issues.entries):
        return None
    return Part(path, record["num_examples"], issues)


def write_part(
    converter: Converter,
    setup: Setup,
    sequence: Any,
    examples: Iterable[tuple[str, Example]],
    issues: IssueCounter,
) -> Part:
    """Writes the examples of a sequence, then the record that makes it finished.

    Args:
        converter: Converter of the dataset.
        setup: Settings that all datasets share.
        sequence: The sequence.
        examples: Pairs of split and example; they are made while they are written.
        issues: Counts that are complete when the examples are exhausted.
    """
    path = _part_path(converter, setup, sequence)
    _record_path(path).unlink(missing_ok=True)
    num_examples = 0
    with CacheWriter(path, converter.NAME, converter.joint_info()) as writer:
        for split, example in examples:
            writer.append(split, dataclasses.replace(example, dataset=converter.NAME))
            num_examples += 1
    write_marker(
        _record_path(path),
        _fingerprint(converter, setup, sequence),
        num_examples=num_examples,
        issues=issues.to_json(),
    )
    return Part(path, num_examples, issues)


def _part_path(converter: Converter, setup: Setup, sequence: Any) -> pathlib.Path:
    folder = pathlib.Path(setup.data_root) / converter.crop_folder / "parts"
    return folder / f"{sequence}.pkl"


def _record_path(part_path: pathlib.Path) -> pathlib.Path:
    return part_path.parent / f"{part_path.name[: -len('.pkl')]}.json"


def _fingerprint(converter: Converter, setup: Setup, sequence: Any) -> str:
    return fingerprint(_SHARED_VERSION, converter.fingerprint(sequence), setup.fingerprint())
