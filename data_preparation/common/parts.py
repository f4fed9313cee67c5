"""Finished sequences on the disk: the unit of resumption.

A part is a small cache file with the examples of one sequence, and a record beside it that is
written last: the fingerprint of everything the examples depend on, and the count of what was left
out. A sequence whose record has the present fingerprint is not converted again.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable
from typing import Any, Optional

from data_preparation.common.converter import Converter
from data_preparation.common.tally import Tally
from data_preparation.common.workbench import Setup
from metrabs.data.examples import Example
from metrabs.data.storage.cache import CacheWriter
from metrabs.resumable import fingerprint, read_marker, write_marker

# Raise it when the common machinery gives other examples than before.
_MACHINERY_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Part:
    """A finished sequence.

    Attributes:
        path: its cache file.
        num_examples: how many it holds.
        tally: what was left out.
    """

    path: pathlib.Path
    num_examples: int
    tally: Tally


def read_part(converter: Converter, setup: Setup, sequence: Any) -> Optional[Part]:
    """Returns the part of a sequence if it was finished with these settings, else None.

    In strict mode a part that had to do without something does not count.
    """
    path = _part_path(converter, setup, sequence)
    record = read_marker(_record_path(path), _fingerprint(converter, setup, sequence))
    if record is None or not path.exists():
        return None
    tally = Tally.from_json(record["tally"])
    if setup.strict and any(kind == "noted" for kind, _ in tally.entries):
        return None
    return Part(path, record["num_examples"], tally)


def write_part(
    converter: Converter, setup: Setup, sequence: Any, examples: Iterable[tuple[str, Example]],
    tally: Tally,
) -> Part:
    """Writes the examples of a sequence, then the record that makes it finished.

    Args:
        converter: of the dataset.
        setup: common settings.
        sequence: which one.
        examples: pairs of phase and example; they are made while they are written.
        tally: counts that are complete when the examples are exhausted.
    """
    path = _part_path(converter, setup, sequence)
    _record_path(path).unlink(missing_ok=True)
    num_examples = 0
    with CacheWriter(path, converter.NAME, converter.joint_info()) as writer:
        for phase, example in examples:
            writer.append(phase, dataclasses.replace(example, dataset=converter.NAME))
            num_examples += 1
    write_marker(
        _record_path(path), _fingerprint(converter, setup, sequence), num_examples=num_examples,
        tally=tally.to_json(),
    )
    return Part(path, num_examples, tally)


def _part_path(converter: Converter, setup: Setup, sequence: Any) -> pathlib.Path:
    folder = pathlib.Path(setup.data_root) / converter.crop_folder / "parts"
    return folder / f"{sequence}.pkl"


def _record_path(part_path: pathlib.Path) -> pathlib.Path:
    return part_path.parent / f"{part_path.name[:-len('.pkl')]}.json"


def _fingerprint(converter: Converter, setup: Setup, sequence: Any) -> str:
    return fingerprint(_MACHINERY_VERSION, converter.fingerprint(sequence), setup.fingerprint())
