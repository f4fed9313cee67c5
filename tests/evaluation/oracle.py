"""A full-image model that knows the answers, and small images for it."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from metrabs.evaluation.benchmarks.base import Benchmark
from metrabs.geometry.camera import Camera

_SKELETONS = {"h36m_17": 17, "h36m_25": 25, "mpi_inf_3dhp_17": 17, "smpl_24": 24}


class Oracle:
    """Returns given poses; the grey level of an image selects them.

    Args:
        poses_mm: People in an image `[n, joints, 3]`, world frame, by grey level.
        default_camera: Camera to assume where the caller gives none.
    """

    detector = "some"
    per_skeleton_joint_names = {
        name: tf.constant([f"j{i}" for i in range(n)]) for name, n in _SKELETONS.items()
    }
    per_skeleton_joint_edges = {name: tf.constant([[0, 1]]) for name in _SKELETONS}
    per_skeleton_indices = {name: tf.range(n) for name, n in _SKELETONS.items()}

    def __init__(self, poses_mm: Mapping[int, np.ndarray], default_camera: Any = None) -> None:
        self.poses_mm, self.default_camera = poses_mm, default_camera
        self.calls: list[dict[str, Any]] = []

    def estimate_poses_batched(self, images: np.ndarray, boxes: Any, **arguments: Any) -> Any:
        assert boxes.shape[0] == len(images)
        assert all(len(of_image) == 1 for of_image in boxes)
        return self._answer(images, {**arguments, "boxes": boxes})

    def detect_poses_batched(self, images: np.ndarray, **arguments: Any) -> Any:
        return self._answer(images, arguments)

    def _answer(self, images: np.ndarray, arguments: dict[str, Any]) -> dict[str, list]:
        self.calls.append(arguments)
        poses3d = [self.poses_mm[int(np.median(image))] for image in images]
        poses2d = [
            self._camera(arguments, i).world_to_image(pose) for i, pose in enumerate(poses3d)
        ]
        answer = {
            "poses3d": poses3d,
            "poses2d": poses2d,
            "boxes": [np.zeros([len(pose), 5]) for pose in poses3d],
        }
        return {name: [tf.constant(value) for value in values] for name, values in answer.items()}

    def _camera(self, arguments: dict[str, Any], i: int) -> Camera:
        if "intrinsic_matrix" not in arguments:
            return self.default_camera
        return Camera(
            intrinsic_matrix=arguments["intrinsic_matrix"][i],
            extrinsic_matrix=arguments["extrinsic_matrix"][i],
            distortion_coeffs=arguments["distortion_coeffs"][i],
            world_up=arguments["world_up_vector"],
        )


def write_grey_images(root: pathlib.Path, paths: Sequence[str], size_wh=(16, 12)) -> None:
    """Writes images; the grey level of image i is i."""
    for level, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((size_wh[1], size_wh[0], 3), level, np.uint8)
        assert cv2.imwrite(str(root / path), image, [cv2.IMWRITE_JPEG_QUALITY, 100])


def all_paths(benchmark: Benchmark, root: pathlib.Path) -> list[str]:
    """Returns the image paths of all frames of a benchmark."""
    return [
        frame.image_path
        for sequence in benchmark.sequences(root)
        for frame in benchmark.frames(root, sequence)
    ]
