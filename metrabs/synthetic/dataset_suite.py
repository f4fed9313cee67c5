"""The built-in suite of datasets: 28 3D and 4 2D datasets of rendered people, ready to train on.

`build_dataset_suite` writes images and cache files below one folder. The 3D datasets are merged in
four ways that share all images: `synth28` (555 joints), `synth14` (277), `synth3` (77), and
`synth1` (25). As in the real merged sets, a training example has only its own dataset's joints; in
the test split, which nobody trains on, every image has all of them. `synth2d` holds the 2D sets.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

import numpy as np

from metrabs.data.examples import Pose2DExample, Pose3DExample
from metrabs.data.storage.cache import CacheWriter
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.folders import DataFolders
from metrabs.parallel import results_as_completed
from metrabs.progress import progress_bar
from metrabs.skeletons import JointInfo, tables
from metrabs.skeletons.merged_sets import member_names, samples_per_batch
from metrabs.synthetic.shards import (
    TEST_SECTION,
    Annotation,
    Shard,
    is_complete,
    make_shard,
    plan_shards,
    read_annotations,
)

Progress = Callable[[int, int], None]


class _Merged(NamedTuple):
    """One way to merge 3D datasets: cache name, members, joints, batches."""

    name: str
    members: tuple[str, ...]
    joint_info: JointInfo
    samples_per_batch: Optional[dict[str, int]]


def build_dataset_suite(
    root: PathLike,
    *,
    seed: int = 0,
    examples_per_dataset: int = 120,
    valid_examples_per_dataset: int = 8,
    num_test_examples: int = 400,
    examples_per_dataset_2d: int = 150,
    workers: Optional[int] = None,
    on_progress: Optional[Progress] = None,
    data_root: Optional[PathLike] = None,
) -> dict[str, pathlib.Path]:
    """Builds the synthetic datasets; images that are already complete are kept.

    The result depends on the seed and the sizes alone, not on the number of workers or on
    interruptions.

    Args:
        root: folder for `synthetic/` (images) and `cache/` (cache files).
        seed: Random seed of everything.
        examples_per_dataset: training images per 3D dataset on average; the numbers are
            proportional to those of the 28 datasets in a batch.
        valid_examples_per_dataset: validation images of each 3D dataset.
        num_test_examples: test images, a mixture of all styles and one that is held out.
        examples_per_dataset_2d: training images of each 2D dataset.
        workers: processes; default: one per processor, at most 12; 0 or 1: only this process.
            With more, the calling script must be importable (`if __name__ == "__main__":`).
        on_progress: called with (images done, images in total); default: a progress bar.
        data_root: folder to which the stored image paths are relative. Default: that of the
            environment where `root` lies in it, else `root`.

    Returns:
        The path of each cache file by dataset name.

    Raises:
        UserError: for sizes below 1.
    """
    root = pathlib.Path(root)
    sizes = (
        examples_per_dataset,
        valid_examples_per_dataset,
        num_test_examples,
        examples_per_dataset_2d,
    )
    if min(sizes) < 1:
        raise UserError(f"All sizes of the synthetic suite must be at least 1, but got {sizes}.")
    prefix = _path_prefix(root, data_root)
    shards = _plan(seed, *sizes)
    _make_shards(shards, root, workers, on_progress)
    paths = {merged.name: _write_cache_3d(merged, shards, root, prefix) for merged in _merged()}
    paths["synth2d"] = _write_cache_2d(shards, root, prefix)
    return paths


def num_train_examples(dataset: str, examples_per_dataset: int) -> int:
    """Returns how many training images a 3D dataset gets, in proportion to its part of a batch."""
    in_batch = samples_per_batch("huge8")
    mean = sum(in_batch.values()) / len(in_batch)
    return max(1, round(examples_per_dataset * in_batch[dataset] / mean))


def _plan(
    seed: int, num_train: int, num_valid: int, num_test: int, num_train_2d: int
) -> list[Shard]:
    shards = []
    for dataset in member_names("huge8"):
        shards += plan_shards(seed, dataset, "train", num_train_examples(dataset, num_train))
        shards += plan_shards(seed, dataset, "valid", num_valid)
    for dataset in member_names("huge2d_common"):
        shards += plan_shards(seed, dataset, "train", num_train_2d)
    return shards + plan_shards(seed, TEST_SECTION, "test", num_test)


def _make_shards(
    shards: Sequence[Shard],
    root: pathlib.Path,
    workers: Optional[int],
    on_progress: Optional[Progress],
) -> None:
    total = sum(shard.stop - shard.start for shard in shards)
    pending = [shard for shard in shards if not is_complete(shard, root)]
    done = total - sum(shard.stop - shard.start for shard in pending)
    make = functools.partial(make_shard, root=root)
    with progress_bar(
        total=total,
        initial=done,
        unit="image",
        desc="rendering people",
        disable=on_progress is not None or not pending,
    ) as bar:
        for count in results_as_completed(make, pending, workers):
            done += count
            bar.update(count)
            if on_progress is not None:
                on_progress(done, total)


def _merged() -> list[_Merged]:
    huge, medium, small = (
        tables.merged_joint_info(name) for name in ("huge8", "medium3", "small5")
    )
    return [
        _Merged("synth28", member_names("huge8"), huge, samples_per_batch("huge8")),
        _Merged("synth14", member_names("medium3"), medium, samples_per_batch("medium3")),
        _Merged("synth3", member_names("small5"), small, samples_per_batch("small5")),
        _Merged("synth1", ("h36m",), tables.dataset_joint_info("h36m"), None),
    ]


def _write_cache_3d(
    merged: _Merged, shards: Sequence[Shard], root: pathlib.Path, prefix: str
) -> pathlib.Path:
    huge_ids = tables.merged_joint_info("huge8").ids
    selection = np.array([huge_ids[name] for name in merged.joint_info.names])
    path = root / "cache" / f"{merged.name}.pkl"
    with CacheWriter(path, merged.name, merged.joint_info, merged.samples_per_batch) as writer:
        for shard in shards:
            if shard.section not in merged.members and shard.section != TEST_SECTION:
                continue
            is_known = _known_joints(merged.joint_info.names, shard.section)
            for annotation in read_annotations(shard, root):
                joints = annotation.joints[selection]
                joints[~is_known] = np.nan
                writer.append(shard.split, _example_3d(annotation, joints, prefix))
    return path


def _known_joints(joint_names: Sequence[str], section: str) -> np.ndarray:
    """[J] whether examples of a section have the joint."""
    if section == TEST_SECTION:
        return np.ones(len(joint_names), bool)
    members = set(tables.format_members(section))
    return np.array([name in members for name in joint_names])


def _example_3d(annotation: Annotation, joints_mm: np.ndarray, prefix: str) -> Pose3DExample:
    return Pose3DExample(
        image_path=prefix + annotation.image_path,
        world_coords=joints_mm,
        bbox=annotation.box_px,
        camera=annotation.camera,
        dataset=annotation.style,
        mask=annotation.mask,
        activity_name=annotation.activity,
    )


def _write_cache_2d(shards: Sequence[Shard], root: pathlib.Path, prefix: str) -> pathlib.Path:
    path = root / "cache" / "synth2d.pkl"
    joint_info = tables.merged_joint_info("huge2d_common")
    with CacheWriter(path, "synth2d", joint_info, samples_per_batch("huge2d_common")) as writer:
        for shard in shards:
            if shard.section not in member_names("huge2d_common"):
                continue
            for annotation in read_annotations(shard, root):
                example = Pose2DExample(
                    image_path=prefix + annotation.image_path,
                    coords=annotation.joints,
                    bbox=annotation.box_px,
                    dataset=annotation.style,
                    mask=annotation.mask,
                )
                writer.append(shard.split, example)
    return path


def _path_prefix(root: pathlib.Path, data_root: Optional[PathLike]) -> str:
    """Returns the prefix that makes paths relative to the suite relative to the data root."""
    if data_root is None:
        data_root = DataFolders.at().root
        if not root.absolute().is_relative_to(pathlib.Path(data_root).absolute()):
            data_root = root
    absolute = pathlib.Path(data_root).absolute()
    if not root.absolute().is_relative_to(absolute):
        raise UserError(f"The suite's folder '{root}' must lie in the data root '{data_root}'.")
    relative = root.absolute().relative_to(absolute).as_posix()
    return "" if relative == "." else relative + "/"
