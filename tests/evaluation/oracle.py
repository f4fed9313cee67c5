"""A full-image model that knows the answers, and small images for it to look at."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from metrabs.evaluation.benchmarks.base import Benchmark
from metrabs.geometry.camera import Camera


class Oracle:
    """Answers with given poses; which, the level of grey of an image tells.

    Args:
        poses_mm: by level of grey, the people in an image `[n, joints, 3]`, world.
        default_camera: where the caller gives none.
    """

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
        poses2d = [self._camera(arguments, i).world_to_image(pose)
                   for i, pose in enumerate(poses3d)]
        return {"poses3d": poses3d, "poses2d": poses2d}

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
    """Writes image i in level i of grey."""
    for level, path in enumerate(paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        image = np.full((size_wh[1], size_wh[0], 3), level, np.uint8)
        assert cv2.imwrite(str(root / path), image, [cv2.IMWRITE_JPEG_QUALITY, 100])


def all_paths(benchmark: Benchmark, root: pathlib.Path) -> list[str]:
    """Returns the image paths of all frames of a benchmark."""
    return [frame.image_path for sequence in benchmark.sequences(root)
            for frame in benchmark.frames(root, sequence)]
