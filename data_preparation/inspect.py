"""Reports what a dataset holds, prints single examples and draws a contact sheet.

    python -m data_preparation.inspect NAME [--csv=FILE] [--figure=FILE.png]
    python -m data_preparation.inspect NAME [--split=train] [--index=5,6] [--output=sheet.png]
    python -m data_preparation.inspect NAME --verify

NAME is a dataset with a cache file in the cache folder, or the path of a cache file.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence
from typing import Optional

import cv2
import numpy as np

from data_preparation.example_sheet import choose_examples, draw_sheet
from data_preparation.merging.statistics import report_statistics
from metrabs.command import DataFolderSettings, run_tool
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import SPLITS, Example, Pose3DExample, PoseDataset
from metrabs.data.storage.array_file import verify_array_file
from metrabs.errors import UserError
from metrabs.files import PathLike, atomic_path
from metrabs.settings import setting
from metrabs.skeletons import JointInfo

_ALIASES = {"out": "output"}


@dataclasses.dataclass(frozen=True)
class InspectSettings(DataFolderSettings):
    """What to report about a dataset.

    Attributes:
        datasets: Name of a dataset, or path of a cache file; the positional argument.
    """

    datasets: tuple[str, ...] = ()
    split: str = setting("train", "split whose examples are shown", choices=SPLITS)
    index: tuple[int, ...] = setting(
        (),
        "indices of the examples to show; default: a random choice from all members",
        at_least=0,
    )
    num: int = setting(12, "number of randomly chosen examples", at_least=1)
    augmented: int = setting(2, "number of augmented crops drawn of each example", at_least=0)
    seed: int = setting(0, "random seed of the choice and of the augmentation", at_least=0)
    output: Optional[str] = setting(None, "draw the examples into this image file")
    csv: Optional[str] = setting(None, "also write the counts to this CSV file")
    figure: Optional[str] = setting(
        None, "also plot the counts of the first split that has examples into this file"
    )
    verify: bool = setting(False, "read the whole file and compare it with its checksums")


def inspect(name: str, chosen: InspectSettings) -> None:
    """Reports what a dataset holds.

    Args:
        name: Name of a dataset, or the path of a cache file.
        chosen: What to report.

    Raises:
        UserError: The file cannot be used, or it does not have one of the examples.
    """
    folders = chosen.folders()
    if chosen.verify:
        verify_array_file(folders.cache_path(name))
    dataset = open_dataset(name, folders)
    print(
        f"{dataset.name}: {dataset.joint_info.num_joints} joints, "
        f"{len(dataset.joint_info.edges)} bones"
    )
    report_statistics(dataset, chosen.csv, chosen.figure)
    print("".join(f"{line}\n" for line in batches_and_bones(dataset)), end="")
    if chosen.verify:
        print("checksums OK")
    examples = dataset.split(chosen.split)
    _check_indices(chosen.index, len(examples))
    for index in chosen.index:
        print(describe_example(examples[index], dataset.joint_info))
    if chosen.output:
        _write_sheet(chosen.output, dataset, chosen)


def batches_and_bones(dataset: PoseDataset) -> list[str]:
    """Returns lines on the batch composition and the bone lengths, where a dataset has them."""
    lines = []
    if dataset.samples_per_batch:
        counts = ", ".join(f"{name} {count}" for name, count in dataset.samples_per_batch.items())
        lines.append(f"examples per batch: {counts}")
    if dataset.bone_lengths_mm:
        lines.append(f"mean bone lengths of: {', '.join(dataset.bone_lengths_mm)}")
    return lines


def describe_example(example: Example, joint_info: JointInfo) -> str:
    """Returns all fields of an example as a multi-line string."""
    is_3d = isinstance(example, Pose3DExample)
    coords = example.world_coords if isinstance(example, Pose3DExample) else example.coords
    unit = "mm, world" if is_3d else "pixels"
    lines = [
        example.image_path,
        f"  dataset {example.dataset}",
        f"  box (left, top, width, height) {_numbers(example.bbox)}",
        f"  mask {'-' if example.mask is None else example.mask['size']}",
    ]
    if isinstance(example, Pose3DExample):
        lines.append(f"  activity {example.activity_name}, scene {example.scene_name}")
    if example.camera is not None:
        camera = example.camera
        lens = _numbers(() if camera.distortion_coeffs is None else camera.distortion_coeffs, 4)
        lines += [
            f"  camera at {_numbers(camera.t)} mm, lens coefficients {lens}",
            *(f"  intrinsics {_numbers(row, 2)}" for row in camera.intrinsic_matrix[:2]),
        ]
    known = np.flatnonzero(~np.isnan(coords).any(axis=1))
    lines.append(f"  {len(known)} of {joint_info.num_joints} joints ({unit})")
    lines += [f"    {joint_info.names[i]:<16}{_numbers(coords[i])}" for i in known]
    return "\n".join(lines)


def _numbers(values: Iterable[float], digits: int = 1) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values) or "-"


def _check_indices(indices: Sequence[int], num_examples: int) -> None:
    for index in indices:
        if index >= num_examples:
            raise UserError(f"There is no example {index}; the split has {num_examples}.")


def _write_sheet(path: str, dataset: PoseDataset, chosen: InspectSettings) -> None:
    examples = dataset.split(chosen.split)
    if not len(examples):
        raise UserError(f"The split '{chosen.split}' of {dataset.name} has no examples.")
    indices = chosen.index or choose_examples(examples, chosen.num, chosen.seed)
    sheet = draw_sheet(
        dataset, chosen.split, indices, chosen.augmented, chosen.seed, chosen.folders()
    )
    _write_image(path, sheet)
    print(f"Wrote {path}")


def _write_image(path: PathLike, image: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), image[..., ::-1]):
            raise UserError(f"Cannot write '{path}'; choose a name that ends in .png or .jpg.")


def run(settings: InspectSettings) -> None:
    """Runs the command.

    Raises:
        UserError: as `inspect`, or not one dataset is named.
    """
    if len(settings.datasets) != 1:
        raise UserError("Give one dataset: a name or the path of a cache file.")
    inspect(settings.datasets[0], settings)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(
        __doc__, InspectSettings, run, arguments, positional="datasets", aliases=_ALIASES
    )


if __name__ == "__main__":
    sys.exit(main())
