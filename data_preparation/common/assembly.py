"""Assembling the cache files of a dataset from its finished sequences."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Optional, cast

import numpy as np
from tqdm import tqdm

from data_preparation.common.converter import Converter
from data_preparation.common.issues import DEGRADED, IssueCounter
from data_preparation.common.parts import Part
from data_preparation.common.segmentation import MaskFiles
from data_preparation.common.setup import Setup
from metrabs.data.examples import SPLITS, Example, Pose3DExample, PoseDataset
from metrabs.data.storage.cache import CacheWriter, open_cache
from metrabs.data.storage.columns import Rows
from metrabs.data.storage.example_table import ExampleTable
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.skeletons import JointInfo
from metrabs.skeletons.conversion import JointConverter

_MAX_OPEN_PARTS = 64
_MAX_ROWS = 4096


class _Place(NamedTuple):
    """Where an example is; places sort in the order of the cache file."""

    image_path: str
    part: int
    row: int


class _Run(NamedTuple):
    """Examples that are consecutive both in a part and in the sorted order."""

    split: str
    table: ExampleTable
    start: int
    stop: int


def write_caches(
    converter: Converter,
    setup: Setup,
    parts: Sequence[Part],
    cache_dir: PathLike,
    issues: IssueCounter,
) -> tuple[dict[str, pathlib.Path], dict[str, int]]:
    """Writes the cache files of a dataset, each split sorted by image path.

    Args:
        converter: Converter of the dataset.
        setup: Settings that all datasets share.
        parts: The finished sequences.
        cache_dir: Folder of the cache files.
        issues: Counter to which missing masks are added.

    Returns:
        The cache files by name, and the number of examples by split.

    Raises:
        UserError: a mask is missing in strict mode.
    """
    places = _sorted_places(parts)
    masks = _mask_files(converter, setup)
    paths = {name: pathlib.Path(cache_dir) / f"{name}.pkl" for name in converter.caches()}
    with contextlib.ExitStack() as stack:
        outputs = [
            _Output(
                stack.enter_context(CacheWriter(paths[name], name, joint_info)),
                converter.joint_info(),
                joint_info,
            )
            for name, joint_info in converter.caches().items()
        ]
        for run in _runs(parts, places):
            if masks is not None and run.split == "train":
                _add_masks(run, masks, setup.strict, issues, outputs)
            else:
                rows = run.table.rows(run.start, run.stop)
                for output in outputs:
                    output.append_rows(run.split, rows, run.table.is_3d)
    return paths, {split: len(places[split]) for split in SPLITS if places[split]}


class _Output:
    """A cache file that is being written, with its joints."""

    def __init__(self, writer: CacheWriter, source: JointInfo, target: JointInfo) -> None:
        self._writer = writer
        self._num_joints = target.num_joints
        self._converter = None if source == target else JointConverter(source, target)

    def append_rows(self, split: str, rows: Rows, is_3d: bool) -> None:
        """Adds a block of examples."""
        if self._converter is not None:
            destinations = np.full(self._converter.num_source, -1, np.int64)
            found = np.flatnonzero(self._converter.source_indices >= 0)
            destinations[self._converter.source_indices[found]] = found
            rows = rows.with_joints(destinations, self._num_joints)
        self._writer.append_rows(split, rows, is_3d)

    def append(self, split: str, example: Example) -> None:
        """Adds an example."""
        convert = self._converter
        if convert is None:
            self._writer.append(split, example)
        elif isinstance(example, Pose3DExample):
            universal = example.univ_coords
            self._writer.append(
                split,
                dataclasses.replace(
                    example,
                    world_coords=convert.dense(example.world_coords),
                    univ_coords=None if universal is None else convert.dense(universal),
                ),
            )
        else:
            coords = convert.dense(example.coords)
            self._writer.append(split, dataclasses.replace(example, coords=coords))


def _sorted_places(parts: Sequence[Part]) -> dict[str, list[_Place]]:
    places: dict[str, list[_Place]] = {split: [] for split in SPLITS}
    for i, part in enumerate(parts):
        dataset = open_cache(part.path)
        for split in SPLITS:
            table = cast(ExampleTable, dataset.split(split))
            places[split] += [_Place(table.image_path(k), i, k) for k in range(len(table))]
    for of_split in places.values():
        of_split.sort()
    return places


def _runs(parts: Sequence[Part], places: Mapping[str, list[_Place]]) -> Iterator[_Run]:
    """Yields the examples in sorted order, in runs as long as possible."""

    @functools.lru_cache(maxsize=_MAX_OPEN_PARTS)  # systems limit the number of open files
    def _opened(part: int) -> PoseDataset:
        return open_cache(parts[part].path)

    total = sum(len(of_split) for of_split in places.values())
    with tqdm(total=total, unit="example", desc="Writing the cache", disable=not total) as bar:
        for split, of_split in places.items():
            start = 0
            for i in range(1, len(of_split) + 1):
                first, last = of_split[start], of_split[i - 1]
                follows = (
                    i < len(of_split)
                    and i - start < _MAX_ROWS
                    and (of_split[i].part, of_split[i].row) == (last.part, last.row + 1)
                )
                if not follows:
                    table = cast(ExampleTable, _opened(first.part).split(split))
                    yield _Run(split, table, first.row, last.row + 1)
                    bar.update(i - start)
                    start = i


def _mask_files(converter: Converter, setup: Setup) -> Optional[MaskFiles]:
    """Returns the precomputed masks of crops, or None if there are none."""
    if not converter.TAKES_CROP_MASKS:
        return None
    usual = pathlib.Path(setup.data_root) / converter.crop_folder / "masks"
    if setup.masks:
        return MaskFiles(pathlib.Path(setup.masks))
    return MaskFiles(usual) if usual.exists() else None


def _add_masks(
    run: _Run, masks: MaskFiles, is_strict: bool, issues: IssueCounter, outputs: Sequence[_Output]
) -> None:
    """Writes examples with the masks of their crops, unless they have masks already."""
    for example in run.table[run.start : run.stop]:
        mask = example.mask or masks.find(example.image_path)
        if mask is None and is_strict:
            raise UserError(
                f"Crop '{example.image_path}' has no mask. Run the segmenter on it, or drop "
                "--strict."
            )
        if mask is None:
            issues.add(DEGRADED, "no mask result", example.image_path)
        for output in outputs:
            output.append(run.split, dataclasses.replace(example, mask=mask))
