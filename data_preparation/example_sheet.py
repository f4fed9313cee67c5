"""A contact sheet of the examples of a dataset, as the training loader sees them.

Each example is shown as the stored image with its box, mask and joints, as the crop without
augmentation, and as augmented crops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.examples import Example, Pose3DExample, PoseDataset, dataset_codes
from metrabs.data.loading import crops
from metrabs.data.loading.example_2d import load_example_2d
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.data.storage.masks import decode_mask
from metrabs.folders import DataFolders
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


def choose_examples(examples: Sequence[Example], num: int, seed: int) -> list[int]:
    """Returns the indices of random examples, taken from each member dataset in turn."""
    rng = np.random.default_rng(seed)
    _, codes = dataset_codes(examples)
    members = [rng.permutation(np.flatnonzero(codes == code)) for code in np.unique(codes)]
    in_turn = [
        int(indices[turn]) for turn in range(num) for indices in members if turn < len(indices)
    ]
    return in_turn[:num]


def draw_sheet(
    dataset: PoseDataset,
    split: str,
    indices: Sequence[int],
    num_augmented: int,
    seed: int,
    folders: Optional[DataFolders] = None,
) -> np.ndarray:
    """Draws examples of a dataset into one image, uint8 [h, w, 3] RGB.

    Args:
        dataset: An opened cache.
        split: 'train', 'valid' or 'test'.
        indices: Indices of the examples.
        num_augmented: Number of augmented crops per example.
        seed: Random seed of the augmentation.
        folders: Where data are; default: as the environment says.
    """
    examples = dataset.split(split)
    images, captions = [], []
    for index in indices:
        example = examples[index]
        images.append(_stored_image_preview(example, dataset.joint_info, folders))
        captions.append(f"{index}: {example.dataset} {example.image_path.rpartition('/')[2]}")
        for attempt in range(num_augmented + 1):
            rng = np.random.default_rng([seed, index, attempt])
            images.append(_crop_preview(example, dataset, attempt > 0, rng, folders))
            captions.append(f"augmented {attempt}" if attempt else "crop")
    num_columns = (num_augmented + 2) * (1 + (len(indices) > _MANY_EXAMPLES))
    sheet = contact_sheet(images, captions, num_columns, (_TILE_SIDE, _TILE_SIDE))
    return add_caption(sheet, f"{dataset.name}, {split}: {len(examples):,} examples", height=36)


def _stored_image_preview(
    example: Example, joint_info: JointInfo, folders: Optional[DataFolders] = None
) -> np.ndarray:
    image = crops.load_image(example, folders)
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
    """Darkens the image outside the mask; a mask of a different size is reported in a caption."""
    if mask.shape != image.shape[:2]:
        return add_caption(image, f"mask is {mask.shape[1]} x {mask.shape[0]}")
    return np.where(mask[..., np.newaxis] > 0, image, image // 2)


def _crop_preview(
    example: Example,
    dataset: PoseDataset,
    is_training: bool,
    rng: np.random.Generator,
    folders: Optional[DataFolders],
) -> np.ndarray:
    args = (dataset.joint_info, LoadingConfig(), is_training, rng)
    if isinstance(example, Pose3DExample):
        loaded = load_example_3d(example, *args, dataset_name=dataset.name, folders=folders)
        end = ""
    else:
        loaded, end = load_example_2d(example, *args, folders=folders), "_2d"
    points = np.where(
        loaded[f"joint_validity_mask{end}"][:, np.newaxis], loaded[f"coords2d_true{end}"], np.nan
    )
    image, points = enlarge(loaded[f"image{end}"], points, _TILE_SIDE)
    return draw_poses2d(image, points, dataset.joint_info)
