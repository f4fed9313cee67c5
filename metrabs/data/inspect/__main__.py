"""Tells what is in a cache file and draws its examples as the loader makes them.

    python -m metrabs.data.inspect NAME [--split=train] [--index=I] [--out=picture.png] [--verify]

NAME is a dataset with a cache file in the cache folder, or the path of one. The picture shows, of
each example, the stored image with its box, mask and joints, the crop without augmentation, and
crops with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Optional

import cv2
import numpy as np
from absl import flags

from data_preparation.merging.statistics import dataset_statistics, statistics_table
from metrabs.command import run_command
from metrabs.config import LoadingConfig
from metrabs.data.datasets import cache_path, open_dataset
from metrabs.data.examples import PHASES, Example, Pose3DExample, PoseDataset, dataset_codes
from metrabs.data.loading import crops
from metrabs.data.loading.example_2d import load_example_2d
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.data.storage.array_file import verify_buffer_file
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from metrabs.files import PathLike, atomic_path
from metrabs.skeletons import JointInfo
from metrabs.visualization.drawing import (
    add_caption,
    contact_sheet,
    draw_boxes,
    draw_poses2d,
    enlarge,
)

_TILE_SIDE = 320
_BOX_COLOR = (255, 215, 60)
_MANY_EXAMPLES = 6  # more are drawn in two columns


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    flags.DEFINE_enum("split", "train", [*PHASES], "whose examples are shown", flag_values=values)
    flags.DEFINE_list("index", [], "numbers of the examples to show; default: a random choice "
                      "from all members", flag_values=values)
    flags.DEFINE_integer("num", 12, "how many examples a random choice has", flag_values=values)
    flags.DEFINE_integer("augmented", 2, "how many augmented crops are drawn of each example",
                         flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of the choice and of the augmentation",
                         flag_values=values)
    flags.DEFINE_string("out", None, "draw the examples into this image file", flag_values=values)
    flags.DEFINE_bool("verify", False, "read the whole file and compare it with its checksums",
                      flag_values=values)


def summary(dataset: PoseDataset) -> str:
    """Returns what is in a dataset, as text."""
    lines = [
        f"{dataset.name}: {dataset.joint_info.num_joints} joints, "
        f"{len(dataset.joint_info.edges)} bones",
        statistics_table(dataset_statistics(dataset)),
    ]
    if dataset.shares:
        shares = ", ".join(f"{name} {share}" for name, share in dataset.shares.items())
        lines.append(f"shares of a batch: {shares}")
    if dataset.bone_lengths_mm:
        lines.append(f"mean bone lengths of: {', '.join(dataset.bone_lengths_mm)}")
    return "\n".join(lines)


def example_text(example: Example, joint_info: JointInfo) -> str:
    """Returns all that is known of an example, as text."""
    is_3d = isinstance(example, Pose3DExample)
    coords = example.world_coords if isinstance(example, Pose3DExample) else example.coords
    unit = "mm, world" if is_3d else "pixels"
    lines = [example.image_path, f"  dataset {example.dataset}",
             f"  box (left, top, width, height) {_numbers(example.bbox)}",
             f"  mask {'-' if example.mask is None else example.mask['size']}"]
    if isinstance(example, Pose3DExample):
        lines.append(f"  activity {example.activity_name}, scene {example.scene_name}")
    if example.camera is not None:
        camera = example.camera
        lens = _numbers(() if camera.distortion_coeffs is None else camera.distortion_coeffs, 4)
        lines += [f"  camera at {_numbers(camera.t)} mm, lens coefficients {lens}",
                  *(f"  intrinsics {_numbers(row, 2)}" for row in camera.intrinsic_matrix[:2])]
    known = np.flatnonzero(~np.isnan(coords).any(axis=1))
    lines.append(f"  {len(known)} of {joint_info.num_joints} joints ({unit})")
    lines += [f"    {joint_info.names[i]:<16}{_numbers(coords[i])}" for i in known]
    return "\n".join(lines)


def _numbers(values: Iterable[float], digits: int = 1) -> str:
    return " ".join(f"{value:.{digits}f}" for value in values) or "-"


def choose_examples(examples: Sequence[Example], num: int, seed: int) -> list[int]:
    """Returns the indices of random examples, from all member datasets in turn."""
    rng = np.random.default_rng(seed)
    _, codes = dataset_codes(examples)
    members = [rng.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    in_turn = [
        int(indices[turn]) for turn in range(num) for indices in members if turn < len(indices)
    ]
    return in_turn[:num]


def draw_sheet(
    dataset: PoseDataset, split: str, indices: Sequence[int], num_augmented: int, seed: int
) -> np.ndarray:
    """Draws examples of a dataset, uint8 [h, w, 3] RGB, one after the other.

    Args:
        dataset: an opened cache.
        split: 'train', 'valid' or 'test'.
        indices: of the examples.
        num_augmented: how many augmented crops are drawn of each.
        seed: of the augmentation.
    """
    examples = dataset.phase(split)
    images, captions = [], []
    for index in indices:
        example = examples[index]
        images.append(_stored_picture(example, dataset.joint_info))
        captions.append(f"{index}: {example.dataset} {example.image_path.rpartition('/')[2]}")
        for attempt in range(num_augmented + 1):
            rng = np.random.default_rng([seed, index, attempt])
            images.append(_crop_picture(example, dataset, attempt > 0, rng))
            captions.append(f"augmented {attempt}" if attempt else "crop")
    num_columns = (num_augmented + 2) * (1 + (len(indices) > _MANY_EXAMPLES))
    sheet = contact_sheet(images, captions, num_columns, (_TILE_SIDE, _TILE_SIDE))
    return add_caption(sheet, f"{dataset.name}, {split}: {len(examples):,} examples", height=36)


def _stored_picture(example: Example, joint_info: JointInfo) -> np.ndarray:
    image = crops.load_image(example)
    if example.mask is not None:
        image = _with_mask(image, decode_mask(example.mask))
    if isinstance(example, Pose3DExample):
        points = example.camera.world_to_image(example.world_coords)
    else:
        points = example.coords
    corners = np.array([example.bbox[:2], example.bbox[:2] + example.bbox[2:]])
    image, enlarged = enlarge(image, np.concatenate([points, corners]), _TILE_SIDE)
    start, end = enlarged[-2:]
    image = draw_poses2d(image, enlarged[:-2], joint_info)
    return draw_boxes(image, [[*start, *(end - start)]], color=_BOX_COLOR)


def _with_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Darkens what is outside the mask; a mask of another size than the image is named."""
    if mask.shape != image.shape[:2]:
        return add_caption(image, f"mask is {mask.shape[1]} x {mask.shape[0]}")
    return np.where(mask[..., np.newaxis] > 0, image, image // 2)


def _crop_picture(
    example: Example, dataset: PoseDataset, is_training: bool, rng: np.random.Generator
) -> np.ndarray:
    args = (dataset.joint_info, LoadingConfig(), is_training, rng)
    if isinstance(example, Pose3DExample):
        loaded, end = load_example_3d(example, *args, dataset_name=dataset.name), ""
    else:
        loaded, end = load_example_2d(example, *args), "_2d"
    points = np.where(
        loaded[f"joint_validity_mask{end}"][:, np.newaxis], loaded[f"coords2d_true{end}"], np.nan)
    image, points = enlarge(loaded[f"image{end}"], points, _TILE_SIDE)
    return draw_poses2d(image, points, dataset.joint_info)


def _write_image(path: PathLike, image: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        if not cv2.imwrite(str(temporary), image[..., ::-1]):
            raise UserError(f"Cannot write '{path}'; choose a name that ends in .png or .jpg.")


def inspect(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags on the dataset that is named.

    Raises:
        UserError: the file cannot be used, or an example is not in it.
    """
    if len(words) != 1:
        raise UserError("Give one dataset: a name or the path of a cache file.")
    name = words[0]
    if values.verify:
        verify_buffer_file(cache_path(name))
    dataset = open_dataset(name)
    print(summary(dataset))
    if values.verify:
        print("every byte is as it was written")
    examples = dataset.phase(values.split)
    indices = _given_indices(values.index, len(examples))
    for index in indices or []:
        print(example_text(examples[index], dataset.joint_info))
    if values.out:
        if not len(examples):
            raise UserError(f"The split '{values.split}' of {dataset.name} has no examples.")
        indices = indices or choose_examples(examples, values.num, values.seed)
        sheet = draw_sheet(dataset, values.split, indices, values.augmented, values.seed)
        _write_image(values.out, sheet)
        print(f"Wrote {values.out}")


def _given_indices(texts: Sequence[str], num_examples: int) -> Optional[list[int]]:
    try:
        indices = [int(text) for text in texts]
    except ValueError as error:
        raise UserError(f"--index takes numbers such as 5 or 1,2,3, not {error}.") from error
    wrong = [index for index in indices if not 0 <= index < num_examples]
    if wrong:
        raise UserError(f"There is no example {wrong[0]}; the split has {num_examples}.")
    return indices or None


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, inspect))
