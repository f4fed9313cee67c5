"""Small stand-ins for crop model and detector, with formulas instead of networks.

The original golden numbers were computed with the same formulas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from metrabs.skeletons.tables import Skeleton

_CROP_SPECS = [
    tf.TensorSpec([None, None, None, 3], tf.float16),
    tf.TensorSpec([None, 3, 3], tf.float32),
]


class FakeCropModel(tf.Module):
    """A crop model whose poses depend on the mean colours of a 4 x 4 grid of blocks."""

    def __init__(
        self, joint_names: np.ndarray, joint_edges: np.ndarray, template: np.ndarray
    ) -> None:
        super().__init__()
        self.joint_names = tf.Variable(
            np.array(joint_names, object), dtype=tf.string, trainable=False
        )
        self.joint_edges = tf.Variable(joint_edges, dtype=tf.int32, trainable=False)
        self.input_resolution = tf.Variable(256, dtype=tf.int32, trainable=False)
        self.template = tf.Variable(template, dtype=tf.float32, trainable=False)
        self._block_of_joint = np.arange(len(joint_names)) % 16
        self._top_joint = np.arange(len(joint_names))[:, np.newaxis] == 10

    @tf.function(input_signature=_CROP_SPECS)
    def predict_multi(self, image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        blocks = tf.reshape(tf.cast(image, tf.float32), [-1, 4, 64, 4, 64, 3])
        means = tf.reduce_mean(blocks, axis=[2, 4])
        center = tf.reduce_mean(means[:, :, 1:3], axis=[1, 2])
        means = tf.reshape(means, [-1, 16, 3])
        rgb = tf.reduce_mean(means, axis=1)
        gray = tf.reduce_mean(rgb, axis=1)
        gray_column = gray[:, tf.newaxis, tf.newaxis]
        poses = self.template * (0.8 + 0.4 * gray_column)
        poses += 150 * (tf.gather(means, self._block_of_joint, axis=1) - gray_column)
        x = 100 * (rgb[:, 0] - rgb[:, 2]) + 20000 * tf.nn.relu(center[:, 1] - 0.75)
        z = intrinsic_matrix[:, 0, 0] * (1700 / 256) * (0.9 + 0.2 * gray)
        poses += tf.stack([x, tf.zeros_like(x), z], axis=1)[:, tf.newaxis]
        lift = 20000 * tf.nn.relu(center[:, 0] - 0.8)
        shift = tf.stack([tf.zeros_like(lift), -lift, tf.zeros_like(lift)], axis=1)
        return poses + tf.where(self._top_joint, shift[:, tf.newaxis], 0.0)


class FakeDetector(tf.Module):
    """Returns boxes from a fixed table, the row of image i being i modulo the table's length."""

    def __init__(self, boxes: np.ndarray, row_lengths: np.ndarray) -> None:
        super().__init__()
        self._table = tf.RaggedTensor.from_row_lengths(
            tf.constant(boxes, tf.float32), tf.constant(row_lengths, tf.int64)
        )

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.uint8),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.float32),
            tf.TensorSpec([], tf.bool),
            tf.TensorSpec([], tf.bool),
        ]
    )
    def predict_multi_image(
        self,
        images: tf.Tensor,
        threshold: tf.Tensor,
        nms_iou_threshold: tf.Tensor,
        flip_aug: tf.Tensor,
        bothflip_aug: tf.Tensor,
    ) -> tf.RaggedTensor:
        rows = tf.gather(self._table, tf.range(tf.shape(images)[0]) % self._table.nrows(tf.int32))
        shift = tf.where(bothflip_aug, 2.0, tf.where(flip_aug, 1.0, 0.0))
        boxes = rows.with_values(rows.values + shift * tf.constant([1.0, 0, 0, 0, 0]))
        return tf.ragged.boolean_mask(boxes, boxes.with_values(boxes.values[:, 4] >= threshold))


def fake_crop_model(common: Mapping[str, Any]) -> FakeCropModel:
    """Builds the crop model from the golden file `infer_common`."""
    return FakeCropModel(common["joint_names"], common["joint_edges"], common["template"])


def fake_detector(common: Mapping[str, Any]) -> FakeDetector:
    """Builds the detector from the golden file `infer_common`."""
    return FakeDetector(common["det_flat"], common["det_lengths"])


def fake_skeletons(common: Mapping[str, Any], key: str = "skeletons") -> dict[str, Skeleton]:
    """Reads the skeletons of the golden file `infer_common`."""
    return {
        name: Skeleton(entry["indices"], entry["names"], [tuple(e) for e in entry["edges"]])
        for name, entry in json.loads(str(common[key])).items()
    }
