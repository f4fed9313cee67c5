"""The interface of dataset converters.

A converter is a frozen dataclass. Its fields are its settings (subjects, frame step ...), which
become flags of the command line and part of the fingerprint of finished work. It lists sequences,
the units of parallel work and of resumption, and yields the examples of each one.
"""

from __future__ import annotations

import abc
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from data_preparation.common.context import ConversionContext
from metrabs.data.examples import Example
from metrabs.errors import UserError
from metrabs.settings import fields_with_types
from metrabs.skeletons import JointInfo, tables

# Pairs of a split ('train', 'valid', 'test') and a finished example.
SplitExamples = Iterator[tuple[str, Example]]


class Download(NamedTuple):
    """A part of a dataset that must be on disk.

    Attributes:
        pattern: Path or glob pattern relative to the data root, such as 'h36m/S1/Videos/*.mp4'.
        advice: What to do if nothing matches, such as 'download Videos_S1.tgz'.
    """

    pattern: str
    advice: str


class SplitSequence(NamedTuple):
    """A sequence of the raw data, with the split that its examples become part of.

    Attributes:
        split: 'train', 'valid' or 'test'.
        source: What identifies the sequence in the raw files: a NamedTuple of plain values whose
            `str()` is a unique relative path without extension.
    """

    split: str
    source: Any

    def __str__(self) -> str:
        return str(self.source)


@dataclasses.dataclass(frozen=True)
class Converter(abc.ABC):
    """Converts one dataset; subclasses are frozen dataclasses with fields made by `setting`.

    Attributes:
        NAME: Name of the dataset, of its cache file and of its section in batches.
        TITLE: Full name, for people.
        FOLDER: Folder of the raw data, relative to the data root.
        VERSION: Number to increase when the same settings give other examples than before.
        DETECTION_FILES: Usual places of person detections, relative to FOLDER.
        TAKES_CROP_MASKS: Whether masks come from a person segmenter that is run on the crops.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    FOLDER: ClassVar[str]
    VERSION: ClassVar[int] = 1
    DETECTION_FILES: ClassVar[tuple[str, ...]] = ()
    TAKES_CROP_MASKS: ClassVar[bool] = False

    @abc.abstractmethod
    def downloads(self) -> Sequence[Download]:
        """Returns what must be on disk for these settings."""

    @abc.abstractmethod
    def sequences(self, data_root: pathlib.Path) -> Sequence[Any]:
        """Lists the units of work, sorted.

        Each one is picklable and consists of plain values, preferably as a NamedTuple. Its `str()`
        is a unique relative path without extension, which names it in reports and in the folder
        of finished parts.
        """

    @abc.abstractmethod
    def examples(self, sequence: Any, context: ConversionContext) -> SplitExamples:
        """Yields pairs of a split ('train', 'valid', 'test') and a finished example.

        Args:
            sequence: One of `sequences`.
            context: Finds files and people, makes crops and counts what is left out.
        """

    def preparations(self, data_root: pathlib.Path) -> Sequence[Any]:
        """Lists units of work that must be finished before those of `sequences` begin.

        They also go through `examples`, where they write files and yield nothing. Default: none.
        """
        del data_root
        return ()

    def joint_info(self) -> JointInfo:
        """Returns the joints of the examples."""
        return tables.dataset_joint_info(self.NAME, merged_names=False)

    def caches(self) -> Mapping[str, JointInfo]:
        """Returns the cache files to write: name -> its joints, found by name in `joint_info`."""
        return {self.NAME: self.joint_info()}

    @property
    def needs_detections(self) -> bool:
        """Whether a person detector is indispensable with these settings."""
        return False

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, relative to the data root."""
        return f"{self.FOLDER}_downscaled"

    def fingerprint(self, sequence: Any) -> dict[str, Any]:
        """Returns the values that decide whether a finished sequence can be kept."""
        settings = {
            field.name: getattr(self, field.name)
            for field, _ in fields_with_types(type(self))
            if not field.metadata["selects"]
        }
        return {
            "name": self.NAME,
            "version": self.VERSION,
            "settings": settings,
            "sequence": sequence,
        }


def missing_downloads(converter: Converter, data_root: pathlib.Path) -> list[Download]:
    """Returns the downloads of a dataset of which nothing is on disk."""
    return [
        download
        for download in converter.downloads()
        if next(data_root.glob(download.pattern), None) is None
    ]


def check_downloads(converter: Converter, data_root: pathlib.Path) -> None:
    """Checks that everything that the settings ask for is on disk.

    Raises:
        UserError: something is missing; the message names it and says what to do.
    """
    missing = missing_downloads(converter, data_root)
    if missing:
        first = missing[0]
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        what = "any file " if "*" in first.pattern else ""
        raise UserError(
            f"{converter.TITLE} is incomplete; missing: {what}'{data_root / first.pattern}'"
            f"{others}. "
            f"What to do: {first.advice}. The layout is described in "
            f"docs/prepare/{converter.NAME}.md."
        )
