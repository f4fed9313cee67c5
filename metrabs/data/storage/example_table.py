"""A split of a cache file seen as a sequence of examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from metrabs.data.examples import Example, ExampleSequence
from metrabs.data.storage.array_file import ArrayFile
from metrabs.data.storage.columns import Rows, rows_from_bytes
from metrabs.data.storage.encoding import PARTS, decode_example
from metrabs.errors import UserError

BLOCK_LENGTH = 8192
"""Number of examples that are processed at once where there may be millions."""


class StoredSplit(NamedTuple):
    """The stored data of a split.

    Attributes:
        records: Elements of type RECORD, one per example.
        blobs: Bytes of all blobs.
        datasets: uint16 [n], the code of each example's dataset.
        categories: Strings of the coded fields, by code.
    """

    records: ArrayFile
    blobs: ArrayFile
    datasets: np.ndarray
    categories: dict[str, list[str]]


class ExampleTable(ExampleSequence):
    """Stored examples; each is read and built when it is requested.

    Args:
        stored: Their data.
        num_joints: joints of the dataset.
        is_3d: Whether the examples are `Pose3DExample`.
        origin: Function and arguments that open this table again in another process.
    """

    def __init__(
        self,
        stored: StoredSplit,
        num_joints: int,
        is_3d: bool,
        origin: tuple[Callable[..., ExampleTable], tuple[Any, ...]],
    ) -> None:
        self.num_joints = num_joints
        self.is_3d = is_3d
        self._stored = stored
        self._origin = origin

    def __reduce__(self) -> Any:
        return self._origin

    def __len__(self) -> int:
        return len(self._stored.records)

    def example_at(self, index: int) -> Example:
        """Reads and builds an example.

        Raises:
            UserError: the file is damaged there.
        """
        try:
            record, blob = self._record_and_blob(index)
            return decode_example(
                record, blob, self.num_joints, self.is_3d, self._stored.categories
            )
        except UserError:
            raise
        except (ValueError, IndexError, OverflowError, MemoryError) as error:
            path = self._origin[1][0]
            raise UserError(
                f"Cache file '{path}' is damaged at example {index} ({error}). Regenerate or "
                "re-copy it."
            ) from error

    def image_path(self, index: int) -> str:
        """Returns the image path of an example without building the example."""
        record = self._stored.records.read(index, index + 1)[0]
        start = int(record["blob_start"])
        num_bytes = int(record["counts"][PARTS["image_path"].place])
        blob = self._stored.blobs.read(start, start + num_bytes)
        return blob.tobytes().decode("utf-8")

    def dataset_codes(self) -> tuple[list[str], np.ndarray]:
        """Returns the names of the datasets and uint16 [n] indices into them."""
        return list(self._stored.categories["dataset"]), self._stored.datasets

    def rows(self, start: int, stop: int) -> Rows:
        """Returns the examples of a range as columns."""
        records = self._stored.records.read(start, stop)
        first = int(records["blob_start"][0]) if len(records) else 0
        blobs = self._stored.blobs.read(first, first + int(records["blob_bytes"].sum()))
        return rows_from_bytes(records, blobs, self._stored.categories, self.num_joints)

    def blocks(self, length: int = BLOCK_LENGTH) -> Iterator[Rows]:
        """Yields all examples in order, block by block."""
        for start in range(0, len(self), length):
            yield self.rows(start, min(start + length, len(self)))

    def _record_and_blob(self, index: int) -> tuple[np.void, bytes]:
        record = self._stored.records.read(index, index + 1)[0]
        start = int(record["blob_start"])
        return record, self._stored.blobs.read(start, start + int(record["blob_bytes"])).tobytes()
