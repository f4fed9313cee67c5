"""A tiny dataset and a tiny network, so that whole training runs take seconds."""

from __future__ import annotations

import pathlib
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from metrabs.config import Config
from metrabs.data.examples import Pose2DExample, Pose3DExample, PoseDataset
from metrabs.data.storage.cache import write_cache
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo

JOINTS_3D = JointInfo("pelv,neck,head,lsho,lelb,rsho,relb", "pelv-neck-head,neck-lsho-lelb")
JOINTS_2D = JointInfo("neck,lsho,rsho", "neck-lsho")
IMAGE_SIDE = 96


def write_datasets(folder: pathlib.Path, num_examples: int = 6) -> tuple[str, str]:
    """Writes a 3D and a 2D dataset of random people; returns the paths of the cache files."""
    rng = np.random.default_rng(0)
    examples3d = [_example3d(rng, folder / f"3d_{i}.jpg") for i in range(num_examples)]
    examples2d = [_example2d(rng, folder / f"2d_{i}.jpg") for i in range(num_examples)]
    write_cache(
        folder / "tiny3d.pkl",
        PoseDataset("tiny3d", JOINTS_3D, examples3d, examples3d[:3], examples3d[:5]),
    )
    write_cache(folder / "tiny2d.pkl", PoseDataset("tiny2d", JOINTS_2D, examples2d))
    return str(folder / "tiny3d.pkl"), str(folder / "tiny2d.pkl")


def tiny_config(folder: pathlib.Path, with_2d: bool = True, **settings: Any) -> Config:
    """Settings of a run of 4 steps in `folder`, on datasets that it writes there."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset3d, dataset2d = write_datasets(folder)
    defaults: dict[str, Any] = dict(
        dataset3d=dataset3d,
        dataset2d=dataset2d if with_2d else "",
        logdir=str(folder / "run"),
        backbone_weights="none",
        proc_side=64,
        depth=4,
        dtype="float32",
        batch_size=3,
        batch_size_2d=2,
        batch_size_test=2,
        training_steps=4,
        workers=0,
        log_period=1,
        weak_perspective_steps=1,
        absloss_start_step=0,
        xla="off",
        base_learning_rate=1e-2,
    )
    return Config().replace(**{**defaults, **settings})


def build_tiny_backbone(name: str, **kwargs: Any) -> tf.keras.Model:
    """Stands in for `metrabs.backbones.registry.build_backbone`."""
    image = tf.keras.Input([None, None, 3])
    features = tf.keras.layers.Conv2D(6, 8, strides=32, padding="same")(image)
    features = tf.keras.layers.BatchNormalization(momentum=0.9)(features)
    features = tf.keras.layers.Dropout(0.2)(features)
    return tf.keras.Model(image, features, name="backbone")


def _example3d(rng: np.random.Generator, path: pathlib.Path) -> Pose3DExample:
    camera = Camera(
        intrinsic_matrix=np.array(
            [[120.0, 0, IMAGE_SIDE / 2], [0, 120, IMAGE_SIDE / 2], [0, 0, 1]], np.float32
        )
    )
    coords = rng.normal(0, 300, [JOINTS_3D.num_joints, 3]) + [0, 0, 3500]
    coords[rng.integers(JOINTS_3D.num_joints)] = np.nan
    return Pose3DExample(_write_image(rng, path), coords, _BOX, camera, dataset="tiny3d")


def _example2d(rng: np.random.Generator, path: pathlib.Path) -> Pose2DExample:
    coords = rng.uniform(20, 70, [JOINTS_2D.num_joints, 2])
    return Pose2DExample(_write_image(rng, path), coords, _BOX, dataset="tiny2d")


_BOX = np.array([10, 10, 70, 70], np.float32)


def _write_image(rng: np.random.Generator, path: pathlib.Path) -> str:
    cv2.imwrite(str(path), rng.integers(0, 256, [IMAGE_SIDE, IMAGE_SIDE, 3], np.uint8))
    return str(path)
