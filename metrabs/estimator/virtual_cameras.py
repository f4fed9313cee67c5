"""From person boxes to virtual pinhole cameras that look straight at each person.

A crop is not a cut-out but what a camera at the same place would see after turning towards the
middle of the box, zoomed so that the box fills the crop (paper: perspective-correct cropping).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from metrabs.estimator.test_time_augmentation import Augmentations
from metrabs.geometry.distortion_tf import undistort_points
from metrabs.geometry.projection import (
    invert_3x3,
    matrix_product,
    normalize_image_points,
    project,
    to_homogeneous,
    transform_points,
)
from metrabs.geometry.rotations import look_at_rotation


class BoxCameras(NamedTuple):
    """Cameras turned towards B boxes, before augmentation.

    Attributes:
        rotations: `[B, 3, 3]`, original camera frame -> crop camera frame.
        box_scales: `[B]`, crop pixels per image pixel.
        is_valid: bool `[B]`; a box without extent or with a NaN coordinate is invalid and gets
            an arbitrary camera.
    """

    rotations: tf.Tensor
    box_scales: tf.Tensor
    is_valid: tf.Tensor


class CropCameras(NamedTuple):
    """Cameras of the crops of A views of B boxes.

    Attributes:
        intrinsics: `[A, B, 3, 3]` of the crop, principal point in its middle.
        rotations: `[A, B, 3, 3]`, original camera frame -> crop camera frame, mirrored where the
            view is.
        inverse_projections: `[A, B, 3, 3]`, crop pixel (x, y, 1) -> viewing ray in the original
            camera frame.
        scales: `[A, B]`, crop pixels per image pixel.
    """

    intrinsics: tf.Tensor
    rotations: tf.Tensor
    inverse_projections: tf.Tensor
    scales: tf.Tensor


def look_at_boxes(
    boxes: Any, intrinsics: Any, distortion_coeffs: Any, up_cam: Any, crop_side: Any
) -> BoxCameras:
    """Turns a camera towards every box and finds the zoom that fits it.

    Args:
        boxes: `[B, 4 or more]`, left, top, width, height in image pixels.
        intrinsics: `[B, 3, 3]` of the image.
        distortion_coeffs: `[B, n]`, n <= 12.
        up_cam: world's up direction in the camera frame `[B, 3]`.
        crop_side: side of the crops, pixels.
    """
    points = _centers_and_sides(tf.convert_to_tensor(boxes))
    rays = to_homogeneous(
        undistort_points(normalize_image_points(points, intrinsics), distortion_coeffs)
    )
    rotations = look_at_rotation(rays[:, 0], up_cam)
    sides = project(transform_points(rays[:, 1:], matrix_product(intrinsics, rotations)))
    top, right, bottom, left = tf.unstack(sides, axis=1)
    sizes = tf.maximum(tf.norm(top - bottom, axis=-1), tf.norm(right - left, axis=-1))
    scales = tf.cast(crop_side, tf.float32) / sizes
    # Deviation: the original fails if any box has no extent. Here such a box gets NaN poses.
    is_valid = tf.math.is_finite(scales) & tf.reduce_all(
        tf.math.is_finite(rotations), axis=[-2, -1]
    )
    return BoxCameras(
        rotations=tf.where(is_valid[:, tf.newaxis, tf.newaxis], rotations, tf.eye(3)),
        box_scales=tf.where(is_valid, scales, 1.0),
        is_valid=is_valid,
    )


def augment_cameras(
    box_cameras: BoxCameras, intrinsics: Any, augmentations: Augmentations, crop_side: Any
) -> CropCameras:
    """Applies the views to the cameras of the boxes.

    Args:
        box_cameras: B cameras from `look_at_boxes`.
        intrinsics: `[B, 3, 3]` of the image.
        augmentations: the A views.
        crop_side: side of the crops, pixels.
    """
    scales = augmentations.scales[:, tf.newaxis] * box_cameras.box_scales
    zoomed = tf.convert_to_tensor(intrinsics)[:, :2, :2] * scales[..., tf.newaxis, tf.newaxis]
    center = tf.fill(tf.shape(zoomed[..., :1]), tf.cast(crop_side, tf.float32) / 2)
    crop_intrinsics = tf.concat([tf.concat([zoomed, center], axis=-1), _last_row(scales)], axis=-2)
    rotations = matrix_product(augmentations.rotflips[:, tf.newaxis], box_cameras.rotations)
    inverse_projections = matrix_product(
        tf.linalg.matrix_transpose(rotations), invert_3x3(crop_intrinsics)
    )
    return CropCameras(crop_intrinsics, rotations, inverse_projections, scales)


def _centers_and_sides(boxes: tf.Tensor) -> tf.Tensor:
    """Returns `[B, 5, 2]`: the centre and the middles of the top, right, bottom, left side."""
    left, top, width, height = tf.unstack(boxes[:, :4], axis=-1)
    middle_x, middle_y = left + width / 2, top + height / 2
    x = tf.stack([middle_x, middle_x, left + width, middle_x, left], axis=-1)
    y = tf.stack([middle_y, top, middle_y, top + height, middle_y], axis=-1)
    return tf.stack([x, y], axis=-1)


def _last_row(scales: tf.Tensor) -> tf.Tensor:
    """Returns rows (0, 0, 1) of shape `[A, B, 1, 3]`."""
    zero, one = tf.zeros_like(scales), tf.ones_like(scales)
    return tf.stack([zero, zero, one], axis=-1)[..., tf.newaxis, :]
