"""Checks inside the graph, whose errors say what was given and what was expected."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from metrabs.estimator.signatures import Cameras, Detection, Options
from metrabs.geometry.distortion_tf import NUM_COEFFICIENTS

MIN_BOX_SIDE_PX = 0.01  # rays to the sides of smaller boxes are equal in float32
MAX_BOX_SIDE_PX = 1e6
_NUM_PRINTED = 16  # values in a message: all of a matrix
_LAST_ROW_TOLERANCE = 1e-4  # of homogeneous matrices that were computed


def require(condition: Any, message: str, *values: Any) -> tf.Operation:
    """Fails with a message if a condition does not hold.

    TensorFlow's own assertions store two functions for each check in an export, which takes time
    to load.

    Args:
        condition: bool scalar.
        message: Description of the expected input.
        values: Values to print after the message.

    Raises:
        tf.errors.InvalidArgumentError: the condition does not hold.
    """
    return tf.raw_ops.Assert(
        condition=condition,
        data=[tf.constant(message), *map(tf.convert_to_tensor, values)],
        summarize=_NUM_PRINTED,
    )


def checked_inputs(
    images: tf.Tensor, boxes: tf.RaggedTensor, cameras: Cameras, options: Options
) -> tuple[Cameras, Options]:
    """Returns cameras and options, which are computed only if all inputs are valid.

    Args:
        images: `[N, H, W, 3]`.
        boxes: ragged, one row per image.
        cameras: Cameras of the images.
        options: Options of the prediction.

    Raises:
        tf.errors.InvalidArgumentError: an input is invalid; the message says why.
    """
    checks = [*_check_sizes(images, boxes, cameras), *_check_numbers(cameras, options)]
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.nest.map_structure(tf.identity, (cameras, options))


def checked_detection(images: tf.Tensor, detection: Detection) -> Detection:
    """Returns the settings of the detector, which are computed only if they are valid.

    Args:
        images: `[N, H, W, 3]`.
        detection: Settings of the detector.

    Raises:
        tf.errors.InvalidArgumentError: an input is invalid; the message says why.
    """
    threshold, overlap = detection.detector_threshold, detection.detector_nms_iou_threshold
    checks = [
        _check_pixels(images),
        require(_is_finite(threshold), "detector_threshold must be a number, not", threshold),
        require(
            (overlap >= 0) & (overlap <= 1),
            "detector_nms_iou_threshold must be between 0 and 1, not", overlap,
        ),
    ]  # fmt: skip
    with tf.control_dependencies([check for check in checks if check is not None]):
        return tf.nest.map_structure(tf.identity, detection)


def checked_boxes(images: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Returns the boxes of the user, `[n, 4]`, which are computed only if they are valid.

    Boxes without any extent are valid: their poses are NaN.

    Args:
        images: `[N, H, W, 3]`.
        boxes: Left, top, width, height in pixels, of all images.

    Raises:
        tf.errors.InvalidArgumentError: a box is not finite, has a negative width or height, is
            far smaller than a pixel, far larger than any image, or outside its image.
    """
    size = boxes[:, 2:]
    longer_side = tf.reduce_max(size, axis=1)
    has_usual_size = (longer_side >= MIN_BOX_SIDE_PX) & (longer_side <= MAX_BOX_SIDE_PX)
    image_size = tf.cast(tf.shape(images)[2:0:-1], tf.float32)
    meets_image = tf.reduce_all((boxes[:, :2] <= image_size) & (boxes[:, :2] + size >= 0), axis=1)
    is_empty = longer_side == 0
    requirements = [
        (tf.reduce_all(tf.math.is_finite(boxes), axis=1), "boxes must not hold NaN or infinity."),
        (
            tf.reduce_all(size >= 0, axis=1),
            "boxes must be left, top, width, height in pixels, without negative widths or "
            "heights.",
        ),
        (
            is_empty | has_usual_size,
            f"The longer side of boxes must be at least {MIN_BOX_SIDE_PX} and at most "
            f"{MAX_BOX_SIDE_PX:.0f} pixels.",
        ),
        (is_empty | meets_image, "boxes must overlap their image."),
    ]
    return _require_of_boxes(boxes, requirements)


def _require_of_boxes(boxes: tf.Tensor, requirements: list[tuple[tf.Tensor, str]]) -> tf.Tensor:
    """Returns boxes `[n, 4]` if all conditions `[n]` hold, else prints the first wrong box."""
    for is_right, message in requirements:
        first_wrong = tf.boolean_mask(boxes, tf.logical_not(is_right))[:1]
        check = require(tf.reduce_all(is_right), f"{message} Given:", first_wrong)
        with tf.control_dependencies([check] if check is not None else []):
            boxes = tf.identity(boxes)
    return boxes


def checked_poses(poses: tf.Tensor, boxes: tf.Tensor, suppress: tf.Tensor) -> tf.Tensor:
    """Returns poses, which are computed only if they are numbers, except in boxes without extent.

    Args:
        poses: `[B, A, J, 3]`.
        boxes: `[B, 4 or more]`, left, top, width, height.
        suppress: bool, whether poses that are not numbers are dropped later anyway.

    Raises:
        tf.errors.InvalidArgumentError: a pose in a box of some size is not finite.
    """
    is_number = tf.reduce_all(tf.math.is_finite(poses), axis=[1, 2, 3])
    is_right = is_number | (tf.reduce_max(boxes[:, 2:4], axis=1) == 0)
    check = require(
        suppress | tf.reduce_all(is_right),
        "Poses are not finite: intrinsic_matrix or distortion_coeffs hold extreme values, or the "
        "crop model is faulty. First box of such a pose:",
        tf.boolean_mask(boxes, tf.logical_not(is_right))[:1],
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(poses)


def _check_pixels(images: tf.Tensor) -> tf.Operation:
    shape = tf.shape(images)
    message = "The images must have pixels, not the shape"
    return require(tf.reduce_all(shape[1:3] > 0), message, shape)


def _check_sizes(
    images: tf.Tensor, boxes: tf.RaggedTensor, cameras: Cameras
) -> list[tf.Operation]:
    num_images, num_coefficients = tf.shape(images)[0], tf.shape(cameras.distortion_coeffs)[1]
    checks = [
        _check_pixels(images),
        require(
            boxes.nrows(tf.int32) == num_images,
            "boxes must have one row per image; number of rows and of images:",
            boxes.nrows(), num_images,
        ),
        require(
            num_coefficients <= NUM_COEFFICIENTS,
            f"distortion_coeffs must hold at most {NUM_COEFFICIENTS} coefficients (k1 k2 p1 p2 k3 "
            "k4 k5 k6 s1 s2 s3 s4; tilted sensors are not supported), not",
            num_coefficients,
        ),
    ]  # fmt: skip
    for name in ("intrinsic_matrix", "distortion_coeffs", "extrinsic_matrix"):
        num_given = tf.shape(getattr(cameras, name))[0]
        is_right = (num_given == 1) | (num_given == num_images)
        message = f"{name} must have one row, or one per image; number of rows and of images:"
        checks.append(require(is_right, message, num_given, num_images))
    return checks


def _check_numbers(cameras: Cameras, options: Options) -> list[tf.Operation]:
    fov_degrees = cameras.default_fov_degrees
    checks = [
        require(_is_finite(getattr(cameras, name)), f"{name} holds NaN or infinity.")
        for name in (
            "intrinsic_matrix", "distortion_coeffs", "extrinsic_matrix", "world_up_vector",
        )
    ]  # fmt: skip
    return [
        *checks,
        *_check_matrices(cameras.intrinsic_matrix, cameras.extrinsic_matrix),
        require(
            tf.reduce_any(cameras.world_up_vector != 0), "world_up_vector must not be zero."
        ),
        require(
            (fov_degrees > 0) & (fov_degrees < 180),
            "default_fov_degrees must be between 0 and 180 degrees, not", fov_degrees,
        ),
        require(options.num_aug >= 1, "num_aug must be at least 1, not", options.num_aug),
        require(
            options.antialias_factor >= 1,
            "antialias_factor must be at least 1 (1: off), not", options.antialias_factor,
        ),
    ]  # fmt: skip


def _check_matrices(intrinsics: tf.Tensor, extrinsics: tf.Tensor) -> list[tf.Operation]:
    is_unknown = (tf.shape(intrinsics)[0] == 1) & tf.reduce_all(intrinsics == -1)
    has_focal_lengths = tf.reduce_all(tf.linalg.diag_part(intrinsics)[:, :2] > 0)
    return [
        require(
            is_unknown | (has_focal_lengths & _has_last_row(intrinsics, [0, 0, 1])),
            "intrinsic_matrix must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels with "
            "positive focal lengths, or a single matrix of -1 if unknown. Given:",
            intrinsics,
        ),
        require(
            tf.reduce_all(tf.linalg.det(extrinsics) != 0)
            & _has_last_row(extrinsics, [0, 0, 0, 1]),
            "extrinsic_matrix must be invertible: rotation and translation from the world to the "
            "camera, last row 0 0 0 1. Given:",
            extrinsics,
        ),
    ]


def _has_last_row(matrices: tf.Tensor, row: list[float]) -> tf.Tensor:
    return tf.reduce_all(tf.abs(matrices[:, -1] - row) < _LAST_ROW_TOLERANCE)


def _is_finite(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_all(tf.math.is_finite(values))
