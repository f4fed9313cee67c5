"""Small caches of single datasets, as the converters make them, for merging."""

from __future__ import annotations

import pathlib

import numpy as np

from metrabs.data.examples import Pose2DExample, Pose3DExample, PoseDataset
from metrabs.data.storage.cache import write_cache
from metrabs.geometry.camera import Camera
from metrabs.skeletons.tables import dataset_joint_info

CAMERA = Camera(
    optical_center=[0, -4000, 0],
    rot_world_to_cam=[[1, 0, 0], [0, 0, -1], [0, 1, 0]],
    intrinsic_matrix=[[200, 0, 128], [0, 200, 128], [0, 0, 1]],
)
BOX = np.array([0, 0, 256, 256], np.float32)


def person(dataset: str, seed: int, joint_info=None) -> np.ndarray:
    """Returns [J, 3] mm: the same body for all seeds, slightly moved."""
    joint_info = joint_info or dataset_joint_info(dataset, merged_names=False)
    body = np.random.default_rng(len(dataset)).uniform(-400, 400, (joint_info.num_joints, 3))
    return (body + np.random.default_rng(seed).normal(0, 2, body.shape)).astype(np.float32)


def example_3d(dataset: str, seed: int, **changes) -> Pose3DExample:
    """Returns an example with all joints of its dataset."""
    fields = {
        "image_path": f"{dataset}_downscaled/{seed:06d}_0.jpg",
        "world_coords": person(dataset, seed),
        "bbox": BOX,
        "camera": CAMERA,
        "dataset": f"{dataset}_variant",  # merging writes the name of the member
    }
    return Pose3DExample(**{**fields, **changes})


def example_2d(dataset: str, seed: int) -> Pose2DExample:
    """Returns an example with all joints of its dataset."""
    joint_info = dataset_joint_info(dataset, merged_names=False)
    coords = np.random.default_rng(seed).uniform(0, 256, (joint_info.num_joints, 2))
    return Pose2DExample(
        f"{dataset}_downscaled/{seed}.jpg", coords.astype(np.float32), BOX, dataset
    )


def write_member(folder: pathlib.Path, dataset: str, splits: dict, joint_info=None) -> None:
    """Writes the cache of a dataset.

    Args:
        folder: Folder of the cache files.
        dataset: its name.
        splits: split -> list of examples, or a number of 3D examples to be made.
        joint_info: default: the dataset's own joints.
    """
    examples = {
        split: [example_3d(dataset, i) for i in range(content)]
        if isinstance(content, int)
        else content
        for split, content in splits.items()
    }
    joint_info = joint_info or dataset_joint_info(dataset, merged_names=False)
    write_cache(folder / f"{dataset}.pkl", PoseDataset(dataset, joint_info, **examples))
