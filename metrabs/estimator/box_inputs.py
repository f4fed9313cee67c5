"""The inputs of each box: its image and camera; and the choice of the best boxes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from metrabs.geometry.projection import intrinsics_from_fov


class BoxInputs(NamedTuple):
    """Everything known about B boxes, one row per box.

    Attributes:
        image_ids: int32 `[B]`, index of the box's image.
        boxes: `[B, 4 or more]`, left, top, width, height in image pixels.
        intrinsics: `[B, 3, 3]`.
        distortion_coeffs: `[B, n]`, n <= 12.
        up_cam: `[B, 3]`, world's up direction in the camera frame.
    """

    image_ids: tf.Tensor
    boxes: tf.Tensor
    intrinsics: tf.Tensor
    distortion_coeffs: tf.Tensor
    up_cam: tf.Tensor

    def rows(self, start: tf.Tensor, stop: tf.Tensor) -> BoxInputs:
        """Returns a range of the boxes."""
        return BoxInputs(*(values[start:stop] for values in self))


def make_box_inputs(
    images: tf.Tensor,
    boxes: tf.RaggedTensor,
    intrinsic_matrix: tf.Tensor,
    distortion_coeffs: tf.Tensor,
    up_cam: tf.Tensor,
    default_fov_degrees: Any,
) -> BoxInputs:
    """Gathers the image index and camera of each box of a batch of images.

    Args:
        images: `[N, H, W, 3]`.
        boxes: ragged `[N, None, 4 or more]`.
        intrinsic_matrix: `[N or 1, 3, 3]`; a single matrix of -1 stands for the default camera.
        distortion_coeffs: `[N or 1, n]`.
        up_cam: world's up direction in the camera frames `[N, 3]`.
        default_fov_degrees: field of view of the default camera along the larger image side.
    """
    intrinsics = fill_in_intrinsics(intrinsic_matrix, default_fov_degrees, tf.shape(images)[1:3])
    image_ids = tf.cast(boxes.value_rowids(), tf.int32)
    return BoxInputs(
        image_ids,
        boxes.values,
        tf.gather(one_per_image(intrinsics, images), image_ids),
        tf.gather(one_per_image(distortion_coeffs, images), image_ids),
        tf.gather(up_cam, image_ids),
    )


def fill_in_intrinsics(
    intrinsic_matrix: tf.Tensor, default_fov_degrees: Any, imshape_hw: Any
) -> tf.Tensor:
    """Replaces a single matrix of -1 by the one of the default field of view, `[N or 1, 3, 3]`.

    With one matrix per image, -1 has no special meaning, like in the original.
    """
    is_unknown = (tf.shape(intrinsic_matrix)[0] == 1) & tf.reduce_all(intrinsic_matrix == -1)
    default = intrinsics_from_fov(default_fov_degrees, imshape_hw)
    return tf.where(is_unknown, default, intrinsic_matrix)


def one_per_image(values: tf.Tensor, images: tf.Tensor) -> tf.Tensor:
    """Repeats a single row for all images.

    Args:
        values: `[N or 1, ...]`.
        images: `[N, ...]`.
    """
    return tf.gather(values, tf.range(tf.shape(images)[0]) % tf.shape(values)[0])


def keep_best_boxes(boxes: tf.RaggedTensor, max_detections: Any) -> tf.RaggedTensor:
    """Keeps the `max_detections` boxes of highest score of every image, best first; -1 keeps all.

    Deviation: in batches of images with different numbers of people the original picks wrong
    boxes or fails.

    Args:
        boxes: ragged `[N, None, 5]`, the score last.
        max_detections: int32.
    """

    def _reduced() -> tf.RaggedTensor:
        scores = boxes.with_values(boxes.values[:, 4]).to_tensor(default_value=-np.inf)
        order = tf.argsort(scores, direction="DESCENDING", stable=True)
        lengths = tf.minimum(boxes.row_lengths(), tf.cast(max_detections, tf.int64))
        return tf.gather(boxes, tf.RaggedTensor.from_tensor(order, lengths), batch_dims=1)

    return tf.cond(max_detections > -1, _reduced, lambda: boxes)
