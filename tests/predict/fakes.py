"""A model that finds one person in every image that is not black, and small images and videos."""

from __future__ import annotations

import pathlib
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from metrabs.estimator.client import FramePoses
from metrabs.skeletons.tables import Skeleton

SKELETON = Skeleton([2, 0, 1], ["pelv", "lwri", "rwri"], [(0, 1), (0, 2)])


class FakeModel:
    """Has the members of a full-image model that are used; remembers the calls.

    The person stands 3 m away, higher the brighter the image is.
    """

    def __init__(self, detector: Any = "some") -> None:
        self.detector = detector
        self.calls: list[dict[str, Any]] = []
        self.per_skeleton_joint_names = {"three": tf.constant(SKELETON.names)}
        self.per_skeleton_joint_edges = {"three": tf.constant(SKELETON.edges)}
        self.per_skeleton_indices = {"three": tf.constant(SKELETON.indices)}

    def detect_poses_batched(self, images: np.ndarray, **arguments: Any) -> dict[str, Any]:
        self.calls.append({"images": images, **arguments})
        counts = [int(image.any()) for image in images]
        boxes = [[10.0, 5.0, 20.0, 30.0, 0.9]] * sum(counts)
        flat = tf.reshape(tf.constant(boxes, tf.float32), [-1, 5])
        result = {"boxes": tf.RaggedTensor.from_row_lengths(flat, counts)}
        return {**result, **self._poses([image for image in images if image.any()], counts)}

    def estimate_poses_batched(
        self, images: np.ndarray, boxes: tf.RaggedTensor, **arguments: Any
    ) -> dict[str, Any]:
        self.calls.append({"images": images, "boxes": boxes, **arguments})
        counts = boxes.row_lengths().numpy()
        return self._poses(np.repeat(images, counts, axis=0), counts)

    def _poses(self, images: Any, counts: Any) -> dict[str, Any]:
        template = np.array([[0, 0, 3000], [-200, 0, 3000], [200, 0, 3000]], np.float32)
        up = np.array([image.mean() for image in images], np.float32).reshape(-1, 1, 1)
        poses3d = template - up * np.float32([0, 1, 0])
        poses2d = np.broadcast_to(np.float32([[20, 20], [12, 22], [28, 22]]), [len(up), 3, 2])
        parts = {"poses3d": poses3d, "poses2d": poses2d}
        return {
            name: tf.RaggedTensor.from_row_lengths(tf.constant(part, tf.float32), counts)
            for name, part in parts.items()
        }


def frame_poses(num_people: int = 1, seed: int = 0) -> FramePoses:
    """Random poses around a place 3 m away."""
    rng = np.random.default_rng(seed)
    poses3d = rng.normal(0, 300, [num_people, 3, 3]) + [0, 0, 3000]
    return FramePoses(
        rng.uniform(1, 30, [num_people, 4]),
        rng.uniform(0, 1, num_people),
        poses3d,
        rng.uniform(0, 60, [num_people, 3, 2]),
    )


def write_image(path: pathlib.Path, brightness: int, size_wh: tuple[int, int] = (64, 48)) -> None:
    """Writes a plain grey image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full([*size_wh[::-1], 3], brightness, np.uint8))


def write_video(path: pathlib.Path, num_frames: int, size_wh: tuple[int, int] = (64, 48)) -> None:
    """Writes a video at 10 frames per second that gets brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, size_wh)
    assert writer.isOpened()
    for i in range(num_frames):
        writer.write(np.full([*size_wh[::-1], 3], 40 + 10 * i, np.uint8))
    writer.release()
