"""Suppression of implausible and duplicate poses: bone lengths, views, box overlap, pose NMS.

Thresholds and formulas are the original ones. Poses are in mm in the original camera frame,
before the world transform; J is the number of output joints.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

MIN_BONE_RATIO = 0.1
MAX_BONE_RATIO = 3.0
MIN_BONE_ERROR_MM = 300.0
MAX_JOINT_STDEV_MM = 200.0
MIN_BOX_OVERLAP = 0.5
MAX_POSE_SIMILARITY = 0.4
SIMILARITY_RANGE_MM = 300.0
MAX_POSES_PER_IMAGE = 150


def has_plausible_bones(poses: Any, joint_edges: Any, bone_lengths_mm: Any) -> tf.Tensor:
    """Rejects poses with a bone of impossible length.

    A bone is impossible if its length is off by a large factor and by more than 300 mm.

    Args:
        poses: `[n, joints, 3]`, mm.
        joint_edges: int `[E, 2]`.
        bone_lengths_mm: usual lengths `[E]`.

    Returns:
        bool `[n]`; bones of NaN length are accepted.
    """
    ends = tf.gather(poses, joint_edges, axis=1)
    lengths = tf.norm(ends[:, :, 0] - ends[:, :, 1], axis=-1)
    ratio = lengths / bone_lengths_mm
    is_off = (ratio < MIN_BONE_RATIO) | (ratio > MAX_BONE_RATIO)
    is_impossible = is_off & (tf.abs(lengths - bone_lengths_mm) > MIN_BONE_ERROR_MM)
    return ~tf.reduce_any(is_impossible, axis=-1)


def views_agree(poses: Any) -> tf.Tensor:
    """Rejects poses on which the views disagree.

    More than a quarter of the joints must vary by less than 200 mm, after the views were brought
    to the same size (the distance to the camera is the least certain).

    Args:
        poses: `[n, A, J, 3]`, mm.

    Returns:
        bool `[n]`.
    """
    num_joints = tf.shape(poses)[2]
    is_stable = joint_stdev(align_scales(poses)) < MAX_JOINT_STDEV_MM
    return tf.math.count_nonzero(is_stable, axis=-1, dtype=tf.int32) > num_joints // 4


def align_scales(poses: Any) -> tf.Tensor:
    """Scales the views `[n, A, J, 3]` about the camera to the same mean square coordinate."""
    poses = tf.convert_to_tensor(poses)
    mean_squares = tf.reduce_mean(tf.square(poses), axis=[-2, -1], keepdims=True)
    return poses * tf.sqrt(tf.reduce_mean(mean_squares, axis=1, keepdims=True) / mean_squares)


def joint_stdev(poses: Any) -> tf.Tensor:
    """Returns the spread `[n, J]` over the views of `[n, A, J, 3]`, all axes together, mm."""
    variances = tf.math.reduce_variance(poses, axis=1)
    return tf.sqrt(tf.reduce_sum(variances, axis=-1))


def pose_fills_box(poses2d: Any, boxes: Any) -> tf.Tensor:
    """Rejects poses whose bounding box covers less than half of the detected box.

    Args:
        poses2d: `[n, J, 2]`, pixels.
        boxes: `[n, 4 or more]`, left, top, width, height, pixels.

    Returns:
        bool `[n]`; False where a coordinate is NaN.
    """
    boxes = tf.convert_to_tensor(boxes)
    start, size = boxes[:, :2], boxes[:, 2:4]
    common_start = tf.maximum(start, tf.reduce_min(poses2d, axis=1))
    common_end = tf.minimum(start + size, tf.reduce_max(poses2d, axis=1))
    common_area = tf.reduce_prod(tf.maximum(common_end - common_start, 0.0), axis=-1)
    is_number = tf.reduce_all(tf.math.is_finite(poses2d), axis=[1, 2])
    return is_number & (common_area > MIN_BOX_OVERLAP * tf.reduce_prod(size, axis=-1))


def pose_similarity(poses: Any) -> tf.Tensor:
    """Compares each two poses by the quarter of the joints on which they differ most.

    Args:
        poses: `[n, J, 3]`, mm.

    Returns:
        `[n, n]`, 1 for equal poses, 0 if those joints are more than 300 mm apart.
    """
    poses = tf.convert_to_tensor(poses)
    first, second = poses[:, tf.newaxis], poses[tf.newaxis]
    first_square = tf.reduce_mean(tf.square(first), axis=[-2, -1], keepdims=True)
    second_square = tf.reduce_mean(tf.square(second), axis=[-2, -1], keepdims=True)
    common = (first_square + second_square) / 2
    difference = tf.sqrt(common / first_square) * first - tf.sqrt(common / second_square) * second
    distances = tf.norm(difference, axis=-1)
    # Deviation: with fewer than 4 joints the original averages nothing, which disables the test.
    num_worst = tf.maximum(tf.shape(poses)[1] // 4, 1)
    worst = tf.math.top_k(distances, num_worst, sorted=False).values
    return tf.reduce_mean(tf.maximum(0.0, 1 - worst / SIMILARITY_RANGE_MM), axis=-1)


def select_distinct_poses(poses: Any, scores: Any, is_valid: Any) -> tf.Tensor:
    """Keeps the best-scoring of poses that are nearly the same, among the valid ones.

    Args:
        poses: `[n, J, 3]`, mm.
        scores: `[n]`.
        is_valid: bool `[n]`.

    Returns:
        int32 indices of the kept poses, best score first, at most 150.
    """
    candidates = tf.cast(tf.where(is_valid)[:, 0], tf.int32)
    kept = tf.image.non_max_suppression_overlaps(
        pose_similarity(tf.gather(poses, candidates)),
        tf.gather(scores, candidates),
        max_output_size=MAX_POSES_PER_IMAGE,
        overlap_threshold=MAX_POSE_SIMILARITY,
    )
    return tf.gather(candidates, kept)


def select_poses_to_keep(
    poses: tf.Tensor, poses2d: tf.Tensor, boxes: tf.RaggedTensor, has_good_bones: tf.Tensor
) -> tf.RaggedTensor:
    """Selects the plausible and distinct poses of a batch of images.

    Args:
        poses: `[B, A, J, 3]`, mm, in the order of the boxes.
        poses2d: `[B, A, J, 2]`, pixels.
        boxes: ragged `[N, None, 5]` with B boxes in all and their scores.
        has_good_bones: bool `[B]`, result of the bone length test.

    Returns:
        Ragged int32 `[N, None]`: for each image, positions within the B poses, best score first.
    """
    mean_poses, mean_poses2d = tf.reduce_mean(poses, axis=1), tf.reduce_mean(poses2d, axis=1)
    is_valid = has_good_bones & views_agree(poses) & pose_fills_box(mean_poses2d, boxes.values)
    starts, stops = boxes.row_starts(), boxes.row_limits()

    def _select_in_image(image_id: tf.Tensor) -> tf.Tensor:
        start, stop = starts[image_id], stops[image_id]
        kept = select_distinct_poses(
            mean_poses[start:stop], boxes.values[start:stop, 4], is_valid[start:stop]
        )
        return tf.cast(start, tf.int32) + kept

    return tf.map_fn(
        _select_in_image,
        tf.range(boxes.nrows()),
        fn_output_signature=tf.RaggedTensorSpec([None], tf.int32, ragged_rank=0),
    )
