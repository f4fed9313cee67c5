"""An exported model runs in a process that cannot import this package."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

_ROOT = pathlib.Path(__file__).parents[2]
_SCRIPT = _ROOT / "metrabs" / "reproduction" / "run_exported_model.py"
_SKELETONS = {"smpl_24": [0, 2], "coco_19": [1], "h36m_17": [2, 1], "": [0, 1, 2]}


class _Model(tf.Module):
    """Finds one person in each image, whose joints are at the image's mean colour."""

    def __init__(self) -> None:
        super().__init__()
        names = ["pelv", "neck", "head"]
        self.per_skeleton_indices = {s: tf.Variable(i) for s, i in _SKELETONS.items()}
        self.per_skeleton_joint_names = {
            s: tf.Variable([names[i] for i in indices]) for s, indices in _SKELETONS.items()
        }
        self.per_skeleton_joint_edges = {s: tf.Variable([[0, 0]]) for s in _SKELETONS}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, 3], tf.uint8, "image"),
            tf.TensorSpec([], tf.string, "skeleton"),
            tf.TensorSpec([], tf.bool, "suppress_implausible_poses"),
        ]
    )
    def detect_poses(
        self, image: tf.Tensor, skeleton: tf.Tensor, suppress_implausible_poses: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Has the names of the real model's inputs and outputs."""
        color = tf.reduce_mean(tf.cast(image, tf.float32), axis=[0, 1])
        poses3d = color + tf.constant([[[0.0], [1], [2]]])
        return {"boxes": tf.ones([1, 5]), "poses3d": poses3d, "poses2d": poses3d[..., :2]}


@pytest.mark.slow
def test_poses_are_written_for_each_image_and_skeleton(tmp_path: pathlib.Path) -> None:
    tf.saved_model.save(_Model(), str(tmp_path / "model"))
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path, color in zip(paths, ([30, 20, 10], [60, 50, 40])):
        cv2.imwrite(str(path), np.full([8, 6, 3], color, np.uint8))
    finished = subprocess.run(
        [
            sys.executable,
            str(_SCRIPT),
            str(tmp_path / "model"),
            str(tmp_path / "poses.npz"),
            *map(str, paths),
        ],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert "b.png: 1 people" in finished.stdout
    with np.load(tmp_path / "poses.npz") as poses:
        assert poses["images"].tolist() == ["a.png", "b.png"]
        assert poses["h36m_17/names"].tolist() == ["head", "neck"]
        np.testing.assert_allclose(poses["1/h36m_17/poses3d"], [[[42, 52, 62], [41, 51, 61]]])
        np.testing.assert_allclose(poses["0/coco_19/poses2d"], [[[11, 21]]])
        assert poses["0/boxes"].shape == (1, 5)
