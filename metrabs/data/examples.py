"""The example types: a person in an image with 3D or 2D joints, and datasets of such examples.

Examples are plain immutable records. A dataset holds its examples in three splits; each split is
a sequence, either a list in memory or a table over a cache file (see
`metrabs.data.storage.example_table`).
"""

from __future__ import annotations

import abc
import bisect
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union, overload

import numpy as np

from metrabs.errors import UserError, unknown_name_error
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo

SPLITS = ("train", "valid", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Pose3DExample:
    """A person with 3D joint positions, seen by a calibrated camera.

    Attributes:
        image_path: the JPEG, relative to the data root or absolute.
        world_coords: float [J, 3], mm, world frame; a row with NaN is not available.
        bbox: float32 [4], person box (left, top, width, height) in pixels of the stored image.
        camera: the calibrated camera of the stored image.
        dataset: name of the dataset that the example comes from (its section in batches).
        mask: run-length encoded person mask at image size: {'size': [h, w], 'counts': bytes}, or
            with zlib-compressed 'zcounts' instead of 'counts'.
        univ_coords: float [J, 3] or None; height-normalised variant of `world_coords`.
        activity_name: Activity of the person, where the benchmark reports it.
        scene_name: Scene, where the benchmark reports it.
        image: uint8 [h, w, 3] RGB or None; replaces the file.
    """

    image_path: str
    world_coords: np.ndarray
    bbox: np.ndarray
    camera: Camera
    dataset: str = ""
    mask: Optional[Mapping[str, Any]] = None
    univ_coords: Optional[np.ndarray] = None
    activity_name: str = "unknown"
    scene_name: str = "unknown"
    image: Optional[np.ndarray] = None


@dataclasses.dataclass(frozen=True, eq=False)
class Pose2DExample:
    """A person with 2D joint positions.

    Attributes:
        coords: float [J, 2], pixels of the stored image; a row with NaN is not available.
        camera: the camera of the stored image where it is known, else None.

    The other attributes are those of `Pose3DExample`.
    """

    image_path: str
    coords: np.ndarray
    bbox: np.ndarray
    dataset: str = ""
    mask: Optional[Mapping[str, Any]] = None
    camera: Optional[Camera] = None
    image: Optional[np.ndarray] = None


Example = Union[Pose3DExample, Pose2DExample]


@dataclasses.dataclass(frozen=True, eq=False)
class PoseDataset:
    """A dataset: its joints and the examples of its three splits.

    Attributes:
        name: such as 'h36m' or 'huge8'.
        joint_info: the joints of all its examples.
        train, valid, test: sequences of examples.
        samples_per_batch: For a merged dataset, the number of examples in a batch of each of its
            datasets (by the name stored in the examples), in batch order; None where batches mix
            freely.
        bone_lengths_mm: mean lengths [E] of the bones (edges) of joint_info over the examples of
            'train' and of 'trainval', 0 where a bone is never seen; empty if not measured.
    """

    name: str
    joint_info: JointInfo
    train: Sequence[Example] = ()
    valid: Sequence[Example] = ()
    test: Sequence[Example] = ()
    samples_per_batch: Optional[Mapping[str, int]] = None
    bone_lengths_mm: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def split(self, name: str) -> Sequence[Example]:
        """Returns the examples of 'train', 'valid', 'test' or 'trainval' (train, then valid).

        Raises:
            UserError: the name is none of these.
        """
        if name == "trainval":
            return ConcatenatedExamples([self.train, self.valid])
        if name not in SPLITS:
            raise unknown_name_error("split", name, [*SPLITS, "trainval"])
        return getattr(self, name)

    def __iter__(self) -> Iterator[Example]:
        """Iterates over all examples in the order train, valid, test."""
        for name in SPLITS:
            yield from self.split(name)


class ExampleSequence(Sequence[Example]):
    """A sequence that is defined by its length and the example at each nonnegative index."""

    @abc.abstractmethod
    def example_at(self, index: int) -> Example:
        """Returns the example at an index from 0 to the length less one."""

    @overload
    def __getitem__(self, index: int) -> Example: ...

    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[Example, list[Example]]:
        if isinstance(index, slice):
            return [self.example_at(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"example {index} of {len(self)}")
        return self.example_at(int(index) % len(self))


class ConcatenatedExamples(ExampleSequence):
    """A concatenation of sequences of examples, without copying them."""

    def __init__(self, parts: Sequence[Sequence[Example]]) -> None:
        """Takes the sequences in order."""
        self.parts = [part for part in parts if len(part)]
        self._ends = np.cumsum([len(part) for part in self.parts], dtype=np.int64).tolist()

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def example_at(self, index: int) -> Example:
        """Returns the example at an index of the concatenation."""
        part = bisect.bisect_right(self._ends, index)
        return self.parts[part][index - (self._ends[part - 1] if part else 0)]


def dataset_codes(examples: Sequence[Example]) -> tuple[list[str], np.ndarray]:
    """Returns the dataset of each example.

    Returns:
        The names of the datasets that occur, and int [n] indices into them.
    """
    if hasattr(examples, "dataset_codes"):  # a table knows without building its examples
        return examples.dataset_codes()
    if isinstance(examples, ConcatenatedExamples):
        per_part = [dataset_codes(part) for part in examples.parts]
        all_names = sorted({name for names, _ in per_part for name in names})
        translated = [
            np.array([all_names.index(name) for name in names], np.uint16)[codes]
            for names, codes in per_part
        ]
        return all_names, np.concatenate([np.zeros(0, np.uint16), *translated])
    of_each = np.array([example.dataset for example in examples], dtype=str)
    names, codes = np.unique(of_each, return_inverse=True)
    return names.tolist(), codes


def check_example(example: Example, num_joints: int) -> None:
    """Checks the shapes of an example.

    Raises:
        UserError: joints, box or path are not as `Pose3DExample` or `Pose2DExample` say.
    """
    is_3d = isinstance(example, Pose3DExample)
    coords = example.world_coords if is_3d else example.coords  # type: ignore[union-attr]
    expected = (num_joints, 3 if is_3d else 2)
    if np.shape(coords) != expected:
        raise UserError(
            f"Example '{example.image_path}' has coordinates of shape {np.shape(coords)}; the "
            f"joints of its dataset require {expected}."
        )
    if np.shape(example.bbox) != (4,) or not np.isfinite(example.bbox).all():
        raise UserError(
            f"Example '{example.image_path}' has the box {np.asarray(example.bbox).tolist()}; "
            "expected four finite numbers: left, top, width, height."
        )
