"""Many stored examples at once, as columns: for merging, filtering and counting millions of them.

A block of rows holds a few thousand examples: their records, and for every part of the blobs the
concatenated entries of the examples. All operations are vectorised.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from metrabs.data.storage.encoding import PARTS, Part, padded_size


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """A block of n examples.

    Attributes:
        records: Records [n] of type RECORD; their fields about blobs have no meaning here.
        parts: Part name (as in PARTS) -> concatenated entries of all examples.
        categories: Strings of the coded fields, by code.
        num_joints: Number of joints J of the dataset.
    """

    records: np.ndarray
    parts: dict[str, np.ndarray]
    categories: dict[str, list[str]]
    num_joints: int

    def __len__(self) -> int:
        return len(self.records)

    def counts(self, part: str) -> np.ndarray:
        """Returns how many entries of a part each example has, int64 [n]."""
        return _counts(self.records, PARTS[part])

    def owners(self, part: str) -> np.ndarray:
        """Returns the example to which each entry of a part belongs, int64 [entries]."""
        return np.repeat(np.arange(len(self)), self.counts(part))

    def take(self, indices: np.ndarray) -> Rows:
        """Returns the examples with the given indices, or where a boolean array [n] is true."""
        indices = np.arange(len(self))[indices]
        parts = {}
        for name, values in self.parts.items():
            counts = self.counts(name)
            starts = np.cumsum(counts) - counts
            parts[name] = values[_ragged_indices(starts[indices], counts[indices])]
        return dataclasses.replace(self, records=self.records[indices], parts=parts)

    def with_joints(self, destinations: np.ndarray, num_joints: int) -> Rows:
        """Renumbers the joints.

        Args:
            destinations: int [J], the new index of every joint; -1 drops the joint.
            num_joints: J of the result.
        """
        rows = dataclasses.replace(self, num_joints=num_joints)
        for kind in ("world", "universal", "image"):
            joints = destinations[self.parts[f"{kind}_joints"]]
            is_kept = joints >= 0
            rows = rows.with_entries(kind, is_kept)
            rows.parts[f"{kind}_joints"] = joints[is_kept].astype(np.uint16)
        return rows

    def with_entries(self, kind: str, is_kept: np.ndarray) -> Rows:
        """Keeps some of the known joints only.

        Args:
            kind: 'world', 'universal' or 'image'.
            is_kept: bool [entries], for every known joint of every example.
        """
        records, parts = self.records.copy(), dict(self.parts)
        owners = self.owners(f"{kind}_joints")
        counts = np.bincount(owners[is_kept], minlength=len(self))
        for name in (f"{kind}_joints", f"{kind}_coords"):
            parts[name] = parts[name][is_kept]
        records["counts"][:, PARTS[f"{kind}_joints"].place] = counts
        if kind != "image":
            name = f"{kind}_residuals"
            has_residuals = self.counts(name) > 0
            parts[name] = parts[name][is_kept[has_residuals[owners]]]
            records["counts"][:, PARTS[name].place] = np.where(has_residuals, counts, 0)
        return dataclasses.replace(self, records=records, parts=parts)

    def with_dataset(self, name: str) -> Rows:
        """Returns the examples as those of the dataset of that name."""
        records = self.records.copy()
        records["dataset"] = 0
        return dataclasses.replace(
            self, records=records, categories={**self.categories, "dataset": [name]}
        )

    def dense_coords(self, kind: str) -> np.ndarray:
        """Returns the coordinates [n, J, 2 or 3] of all joints, NaN where unknown.

        They are float64 if those of any example need it.

        Args:
            kind: 'world' (mm), 'universal' (mm) or 'image' (pixels).
        """
        valid, owners = self.parts[f"{kind}_coords"], self.owners(f"{kind}_coords")
        if kind != "image" and len(self.parts[f"{kind}_residuals"]):
            valid = valid.astype(np.float64)
            has_residuals = self.counts(f"{kind}_residuals") > 0
            valid[has_residuals[owners]] += self.parts[f"{kind}_residuals"]
        coords = np.full((len(self), self.num_joints, valid.shape[1]), np.nan, valid.dtype)
        coords[owners, self.parts[f"{kind}_joints"]] = valid
        return coords

    def image_paths(self) -> list[str]:
        """Returns the image path of every example."""
        text = self.parts["image_path"].tobytes()
        ends = np.cumsum(self.counts("image_path")).tolist()
        return [text[start:end].decode("utf-8") for start, end in zip([0, *ends], ends)]


def rows_from_bytes(
    records: np.ndarray, blobs: np.ndarray, categories: dict[str, list[str]], num_joints: int
) -> Rows:
    """Makes a block of consecutive stored examples.

    Args:
        records: [n] of type RECORD.
        blobs: uint8, the blobs of these examples, one after the other without gaps.
        categories, num_joints: As in `Rows`.
    """
    parts = {}
    for name, part, indices in _places(records):
        parts[name] = _entries(blobs.view(part.dtype)[indices], part)
    return Rows(records, parts, categories, num_joints)


def rows_to_bytes(rows: Rows, first_position: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns records with the right `blob_start`, and their blobs as uint8.

    Args:
        rows: Block of examples.
        first_position: Position of the first blob, in bytes.
    """
    records = rows.records.copy()
    sizes = sum((_part_bytes(records, part) for part in PARTS.values()), np.int64(0))
    records["blob_bytes"] = sizes
    records["blob_start"] = first_position + np.cumsum(sizes) - sizes
    blobs = np.zeros(sizes.sum(), np.uint8)
    for name, part, indices in _places(records):
        blobs.view(part.dtype)[indices] = rows.parts[name].reshape(-1)
    return records, blobs


def _places(records: np.ndarray) -> Iterator[tuple[str, Part, np.ndarray]]:
    """Yields, for each part, where its numbers lie in the blobs, counted in its own type."""
    starts = (records["blob_start"] - records["blob_start"][:1]).astype(np.int64)
    for name, part in PARTS.items():
        num_numbers = _counts(records, part) * part.num_dims
        yield name, part, _ragged_indices(starts // part.dtype.itemsize, num_numbers)
        starts = starts + _part_bytes(records, part)


def _counts(records: np.ndarray, part: Part) -> np.ndarray:
    return records["counts"][:, part.place].astype(np.int64)


def _part_bytes(records: np.ndarray, part: Part) -> np.ndarray:
    return padded_size(_counts(records, part) * part.entry_bytes)


def _entries(numbers: np.ndarray, part: Part) -> np.ndarray:
    return numbers.reshape(-1, part.num_dims) if part.num_dims > 1 else numbers


def _ragged_indices(starts: np.ndarray, counts: Any) -> np.ndarray:
    """Returns the ranges [start, start + count) of all examples, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - counts), counts)
