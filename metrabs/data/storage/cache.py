"""Cache files: a dataset written once by streaming, opened in milliseconds by memory mapping.

`CacheWriter` takes examples one by one, or in blocks of rows, and keeps none in memory;
`open_cache` gives a `PoseDataset` whose splits are tables over the file. The file format is
defined in `metrabs.data.storage.array_file`, the encoding of an example in
`metrabs.data.storage.encoding`.
"""

from __future__ import annotations

import pathlib
import tempfile
import types
from collections.abc import Mapping
from typing import Any, Optional, Union

import numpy as np

from metrabs.data.examples import SPLITS, Example, Pose3DExample, PoseDataset, check_example
from metrabs.data.storage import array_file
from metrabs.data.storage.columns import Rows, rows_to_bytes
from metrabs.data.storage.encoding import CATEGORIES, RECORD, encode_example
from metrabs.data.storage.example_table import ExampleTable, StoredSplit
from metrabs.errors import UserError, unknown_name_error
from metrabs.files import PathLike
from metrabs.skeletons import JointInfo


class CacheWriter:
    """Writes a cache file example by example; use it in a `with` statement.

    The file appears when the block ends without an exception; until then, and if it fails or the
    program dies, an existing file at the path stays unchanged. Until then the examples are in
    unnamed files in the same folder, so it must have space for twice the size of the cache.

    Args:
        path: Path of the cache file, usually named `<name>.pkl`.
        name: Name of the dataset.
        joint_info: Its joints.
        samples_per_batch: For a merged dataset, dataset -> number of its examples in a batch.

    Attributes:
        bone_lengths_mm: can be set before the block ends; see `PoseDataset`.
    """

    def __init__(
        self,
        path: PathLike,
        name: str,
        joint_info: JointInfo,
        samples_per_batch: Optional[Mapping[str, int]] = None,
    ) -> None:
        self.path = pathlib.Path(path)
        self._head = {
            "name": name,
            "joint_names": list(joint_info.names),
            "joint_edges": [(int(a), int(b)) for a, b in joint_info.edges],
            "shares": None
            if samples_per_batch is None
            else {name: int(count) for name, count in samples_per_batch.items()},
        }
        self.bone_lengths_mm: Mapping[str, np.ndarray] = {}
        self._num_joints = joint_info.num_joints
        self._splits: dict[str, _SplitWriter] = {}

    def __enter__(self) -> CacheWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def append(self, split: str, example: Example) -> None:
        """Adds an example to 'train', 'valid' or 'test'.

        Raises:
            UserError: the split is unknown, or the example has wrong shapes, an image in memory
                or another number of dimensions than the examples before it.
        """
        check_example(example, self._num_joints)
        if example.image is not None:
            raise UserError(
                f"Example '{example.image_path}' has its image in memory; cache files hold paths "
                "only. Save the image to that path and leave `image` empty."
            )
        self._split_writer(split, isinstance(example, Pose3DExample)).append(example)

    def append_rows(self, split: str, rows: Rows, is_3d: bool = True) -> None:
        """Adds a block of examples to 'train', 'valid' or 'test'.

        Raises:
            UserError: the split is unknown, or the block has other joints or dimensions.
        """
        if rows.num_joints != self._num_joints:
            raise UserError(
                f"A block of examples with {rows.num_joints} joints does not fit a dataset with "
                f"{self._num_joints}."
            )
        self._split_writer(split, is_3d).append_rows(rows)

    def _split_writer(self, name: str, is_3d: bool) -> _SplitWriter:
        if name not in self._splits:
            if name not in SPLITS:
                raise unknown_name_error("split", name, SPLITS)
            self._splits[name] = _SplitWriter(self.path.parent, is_3d)
        if self._splits[name].is_3d != is_3d:
            raise UserError("A split of a dataset holds either 3D or 2D examples, not both.")
        return self._splits[name]

    def __exit__(
        self,
        error_type: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[types.TracebackType],
    ) -> None:
        try:
            if error_type is None:
                splits = {name: split.content() for name, split in self._splits.items()}
                bones = {
                    split: array_file.pack_array(np.asarray(lengths, np.float32))
                    for split, lengths in self.bone_lengths_mm.items()
                }
                content = {
                    **self._head,
                    "num_joints": self._num_joints,
                    "phases": splits,
                    "bone_lengths_mm": bones,
                }
                array_file.write_array_file(self.path, content)
        finally:
            for split in self._splits.values():
                split.close()


def write_cache(path: PathLike, dataset: PoseDataset) -> None:
    """Writes a whole dataset to a cache file, atomically.

    Raises:
        UserError: an example cannot be stored (see `CacheWriter.append`).
    """
    with CacheWriter(path, dataset.name, dataset.joint_info, dataset.samples_per_batch) as writer:
        writer.bone_lengths_mm = dataset.bone_lengths_mm
        for split in SPLITS:
            for example in dataset.split(split):
                writer.append(split, example)


def open_cache(path: PathLike) -> PoseDataset:
    """Opens a cache file; only its index is read until examples are requested.

    The dataset can be sent to other processes cheaply: they open the same file.

    Raises:
        UserError: the file is missing, is not a cache file, has another version or is damaged.
    """
    opened = array_file.read_array_file(path)
    content = opened.content
    try:
        tables = {
            name: _open_table(path, name, opened) for name in SPLITS if name in content["phases"]
        }
        bones = {
            split: array_file.unpack_array(lengths)
            for split, lengths in content["bone_lengths_mm"].items()
        }
        joint_info = JointInfo(content["joint_names"], content["joint_edges"])
        return PoseDataset(
            content["name"],
            joint_info,
            samples_per_batch=content["shares"],
            bone_lengths_mm=bones,
            **tables,
        )
    except UserError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"Cache file '{path}' is damaged: an entry of its index is missing or invalid "
            f"({error}). Regenerate or re-copy it."
        ) from error


class _SplitWriter:
    """Examples of one split, streamed to files without a name, which vanish with the process."""

    def __init__(self, folder: pathlib.Path, is_3d: bool) -> None:
        self.is_3d = is_3d
        self._records, self._blobs, self._datasets = (
            tempfile.TemporaryFile(dir=folder, buffering=1 << 18) for _ in range(3)
        )
        self._length = 0
        self._blob_bytes = 0
        self._codes: dict[str, dict[str, int]] = {name: {} for name in CATEGORIES}

    def append(self, example: Example) -> None:
        """Adds an example."""
        record, blob = encode_example(example, self._code)
        record["blob_start"] = self._blob_bytes
        self._write(record, blob)

    def append_rows(self, rows: Rows) -> None:
        """Adds a block of examples."""
        records, blobs = rows_to_bytes(rows, self._blob_bytes)
        for category in CATEGORIES:
            if not rows.categories[category]:  # 2D examples have no activity
                continue
            # Only the strings that occur get codes.
            own_codes, inverse = np.unique(records[category], return_inverse=True)
            texts = [rows.categories[category][code] for code in own_codes]
            records[category] = np.array([self._code(category, t) for t in texts])[inverse]
        self._write(records, blobs)

    def content(self) -> dict[str, Any]:
        """Returns the entry of the split in the cache file."""
        return {
            "length": self._length,
            "is_3d": self.is_3d,
            "records": array_file.pack_file(self._records),
            "blobs": array_file.pack_file(self._blobs),
            "datasets": array_file.pack_file(self._datasets),
            "categories": {name: list(codes) for name, codes in self._codes.items()},
        }

    def close(self) -> None:
        """Discards the examples."""
        for file in (self._records, self._blobs, self._datasets):
            file.close()

    def _write(self, records: np.ndarray, blobs: Union[bytes, np.ndarray]) -> None:
        self._records.write(records.tobytes())
        self._blobs.write(blobs)
        self._datasets.write(records["dataset"].tobytes())
        self._length += records.size
        self._blob_bytes += len(blobs)

    def _code(self, category: str, text: str) -> int:
        codes = self._codes[category]
        if text not in codes and len(codes) == 1 << 16:
            raise UserError(f"A dataset can have at most {1 << 16} different {category} strings.")
        return codes.setdefault(text, len(codes))


def _open_table(path: PathLike, split: str, opened: array_file.OpenedFile) -> ExampleTable:
    content = opened.content["phases"][split]
    records = array_file.array_file(content["records"], RECORD, opened)
    blobs = array_file.array_file(content["blobs"], np.dtype(np.uint8), opened)
    datasets = array_file.unpack_array(content["datasets"]).view("<u2")
    lengths = (len(records), len(datasets))
    if lengths != (content["length"],) * 2:
        raise ValueError(f"{content['length']} examples, but {lengths} entries")
    stored = StoredSplit(records, blobs, datasets, content["categories"])
    origin = (_reopen, (str(path), split, opened.checksum))
    return ExampleTable(stored, opened.content["num_joints"], content["is_3d"], origin)


def _reopen(path: str, split: str, checksum: int) -> Any:
    """Opens a split of a cache file again, in another process."""
    dataset = open_cache(path)
    if array_file.read_array_file(path).checksum != checksum:
        raise UserError(f"Cache file '{path}' was changed while it was in use; start again.")
    return getattr(dataset, split)
