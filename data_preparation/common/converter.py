"""What a dataset's converter has to tell; everything else is common to all datasets.

A converter is a frozen dataclass. Its fields are its settings (subjects, frame step ...), which
become flags of the command line and part of the fingerprint of finished work. It lists sequences,
the units of parallel work and of resumption, and yields the examples of each one.
"""

from __future__ import annotations

import abc
import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from metrabs.data.examples import Example
from metrabs.errors import UserError
from metrabs.skeletons import JointInfo, tables

if TYPE_CHECKING:
    from data_preparation.common.workbench import Workbench


class Download(NamedTuple):
    """Something of a dataset that must be on the disk.

    Attributes:
        pattern: path or glob pattern relative to the data root, such as 'h36m/S1/Videos/*.mp4'.
        advice: what to do if nothing matches, such as 'download Videos_S1.tgz'.
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


def option(default: Any, help: str, selects: bool = False) -> Any:
    """Declares a setting of a converter.

    Args:
        default: a number, a text, a bool, or a tuple of numbers or texts; it gives the type.
        help: one sentence for the command line.
        selects: whether it only chooses which sequences are converted, not what comes out of a
            sequence; then finished sequences stay valid when it changes.
    """
    return dataclasses.field(default=default, metadata={"help": help, "selects": selects})


@dataclasses.dataclass(frozen=True)
class Converter(abc.ABC):
    """Converts one dataset; subclasses are frozen dataclasses, too.

    Attributes:
        NAME: of the dataset, its cache file and its section in batches.
        TITLE: full name, for people.
        FOLDER: the raw data, relative to the data root.
        VERSION: raise it when the same settings give something else than before.
        DETECTION_FILES: where results of a person detector are usually kept, in FOLDER.
        TAKES_CROP_MASKS: whether masks come from a person segmenter that is run on the crops.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    FOLDER: ClassVar[str]
    VERSION: ClassVar[int] = 1
    DETECTION_FILES: ClassVar[tuple[str, ...]] = ()
    TAKES_CROP_MASKS: ClassVar[bool] = False

    @abc.abstractmethod
    def downloads(self) -> Sequence[Download]:
        """Returns what must be on the disk for these settings."""

    @abc.abstractmethod
    def sequences(self, data_root: pathlib.Path) -> Sequence[Any]:
        """Lists the units of work, sorted.

        Each is picklable and of plain values, best a NamedTuple; its `str()` is a unique relative
        path without ending that names it in reports and in the folder of finished parts.
        """

    @abc.abstractmethod
    def examples(self, sequence: Any, bench: Workbench) -> Iterator[tuple[str, Example]]:
        """Yields pairs of a phase ('train', 'valid', 'test') and a finished example.

        Args:
            sequence: one of `sequences`.
            bench: finds files, makes crops and keeps count of what is left out.
        """

    def preparations(self, data_root: pathlib.Path) -> Sequence[Any]:
        """Lists units of work that must be finished before those of `sequences` begin.

        They go through `examples`, too, but yield none: they make files. Default: none.
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
        """Whether nothing can be made without a person detector, with these settings."""
        return False

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, relative to the data root."""
        return f"{self.FOLDER}_downscaled"

    def fingerprint(self, sequence: Any) -> dict[str, Any]:
        """Returns plain values that tell whether a finished sequence can be kept."""
        settings = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self) if not field.metadata["selects"]
        }
        return {
            "name": self.NAME, "version": self.VERSION, "settings": settings,
            "sequence": list(sequence) if isinstance(sequence, tuple) else sequence,
        }


def missing_downloads(converter: Converter, data_root: pathlib.Path) -> list[Download]:
    """Returns those downloads of a dataset of which nothing is on the disk."""
    return [
        download for download in converter.downloads()
        if next(data_root.glob(download.pattern), None) is None
    ]


def check_downloads(converter: Converter, data_root: pathlib.Path) -> None:
    """Checks that everything that the settings ask for is on the disk.

    Raises:
        UserError: something is missing; the message names it and says what to do.
    """
    missing = missing_downloads(converter, data_root)
    if missing:
        first = missing[0]
        others = f" ({len(missing) - 1} more are missing, too)" if len(missing) > 1 else ""
        raise UserError(
            f"{converter.TITLE} lacks '{data_root / first.pattern}': {first.advice}{others}. "
            f"The layout is described in docs/prepare/{converter.NAME}.md."
        )
