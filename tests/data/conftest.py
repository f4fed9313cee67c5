"""Small examples and datasets that the data tests share."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.data.examples import Pose2DExample, Pose3DExample, PoseDataset
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo

JOINTS = JointInfo("pelv,lhip,rhip,lkne,rkne,head", "head-pelv-lhip-lkne")


def random_camera(rng: np.random.Generator) -> Camera:
    """Returns a camera without roll that looks about level at the origin from 4 metres."""
    camera = Camera(
        optical_center=np.array([0, -4000, 300.0]),
        intrinsic_matrix=np.array([[300.0, 0, 80], [0, 300, 60], [0, 0, 1]]),
    )
    camera.turn_towards(target_world_point=rng.normal(0, 100, 3))
    return camera


def random_example_3d(seed: int, dataset: str = "a", num_missing: int = 2) -> Pose3DExample:
    """Returns an example with an image in memory, a mask-free person around the origin."""
    rng = np.random.default_rng(seed)
    coords = rng.normal(0, 400, (JOINTS.num_joints, 3)).astype(np.float32)
    coords[rng.choice(JOINTS.num_joints, num_missing, replace=False)] = np.nan
    return Pose3DExample(
        image_path=f"{dataset}/{seed}.jpg",
        world_coords=coords,
        bbox=np.array([30.5, 20, 90, 80], np.float32),
        camera=random_camera(rng),
        dataset=dataset,
        image=rng.integers(0, 255, (120, 160, 3)).astype(np.uint8),
    )


def random_example_2d(seed: int, dataset: str = "p") -> Pose2DExample:
    """Returns a 2D example with an image in memory and no camera."""
    rng = np.random.default_rng(seed)
    coords = rng.uniform(20, 110, (JOINTS.num_joints, 2)).astype(np.float32)
    coords[0] = np.nan
    return Pose2DExample(
        image_path=f"{dataset}/{seed}.jpg",
        coords=coords,
        dataset=dataset,
        bbox=np.array([30, 20, 70, 95], np.float32),
        image=rng.integers(0, 255, (120, 160, 3)).astype(np.uint8),
    )


@pytest.fixture
def joints() -> JointInfo:
    """Six joints with two mirrored pairs."""
    return JOINTS


@pytest.fixture
def dataset_3d() -> PoseDataset:
    """Three small 3D datasets merged, with a share for each in a batch."""
    names = ["a"] * 5 + ["b"] * 3 + ["c"] * 7
    train = [random_example_3d(i, name) for i, name in enumerate(names)]
    valid = [random_example_3d(100 + i, "a") for i in range(4)]
    return PoseDataset("tiny3d", JOINTS, train, valid, samples_per_batch={"a": 2, "b": 1, "c": 3})


@pytest.fixture
def dataset_2d() -> PoseDataset:
    """A small 2D dataset without shares."""
    return PoseDataset("tiny2d", JOINTS, [random_example_2d(i) for i in range(6)])
