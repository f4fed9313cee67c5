"""From boxes to camera-frame poses: crops of several views, the crop model, and the inverse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.box_inputs import BoxInputs
from metrabs.estimator.chunks import concat_over_chunks
from metrabs.estimator.image_cropping import crop_images_to_views, shift_origin
from metrabs.estimator.test_time_augmentation import Augmentations
from metrabs.estimator.virtual_cameras import CropCameras, augment_cameras, look_at_boxes
from metrabs.estimator.warping import (
    ImagePyramid,
    build_pyramid,
    decode_gamma,
    encode_gamma,
    extract_crops,
    pad_tiny_images,
)
from metrabs.geometry.distortion_tf import distort_points
from metrabs.geometry.projection import project, transform_points

CropPredictor = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def crop_predictor(crop_model: Any, crop_dtype: Optional[str] = None) -> CropPredictor:
    """Returns the function (linear crops `[n, S, S, 3]`, intrinsics) -> poses of a crop model.

    Args:
        crop_model: Model with `predict_multi` for float16 crops and, optionally,
            `predict_multi_float32`.
        crop_dtype: 'float32' or 'float16'; default: float32 where the model offers it, since
            CPUs without float16 units are slow with float16.

    Raises:
        UserError: the model does not offer this type.
    """
    has_float32 = hasattr(crop_model, "predict_multi_float32")
    if crop_dtype == "float32" and not has_float32:
        raise UserError(
            "The crop model takes only float16 crops (it has no predict_multi_float32); "
            "leave out the crop type or set it to float16."
        )
    if has_float32 and crop_dtype != "float16":
        return crop_model.predict_multi_float32
    return lambda crops, intrinsics: crop_model.predict_multi(
        tf.cast(crops, tf.float16), intrinsics
    )


def predict_poses(
    predict_crops: CropPredictor,
    images: tf.Tensor,
    box_inputs: BoxInputs,
    augmentations: Augmentations,
    *,
    mirror_mapping: np.ndarray,
    crop_side: tf.Tensor,
    antialias_factor: tf.Tensor,
    internal_batch_size: tf.Tensor,
) -> tf.Tensor:
    """Estimates the pose of every view of every box.

    Args:
        predict_crops: see `crop_predictor`.
        images: uint8 `[N, H, W, 3]`.
        box_inputs: the B boxes.
        augmentations: the A views.
        mirror_mapping: int `[J]`, joint that each joint becomes in a mirrored image.
        crop_side: int32, pixels.
        antialias_factor: int32, supersampling factor of the crops.
        internal_batch_size: int32, largest number of crops given to the crop model at once; all
            boxes at once where it is less than A.

    Returns:
        `[B, A, J, 3]`, mm in the original camera frame; NaN for boxes without extent. With zero
        boxes the crop model is not called.
    """
    num_boxes = tf.shape(box_inputs.boxes)[0]
    num_aug = tf.shape(augmentations.scales)[0]
    num_joints = len(mirror_mapping)
    box_cameras = look_at_boxes(
        box_inputs.boxes,
        box_inputs.intrinsics,
        box_inputs.distortion_coeffs,
        box_inputs.up_cam,
        crop_side,
    )
    cameras = augment_cameras(box_cameras, box_inputs.intrinsics, augmentations, crop_side)
    images, origin_xy = crop_images_to_views(
        pad_tiny_images(images), box_inputs, cameras, crop_side
    )
    pyramid = build_pyramid(decode_gamma(images))
    box_inputs = box_inputs._replace(intrinsics=shift_origin(box_inputs.intrinsics, origin_xy))

    def _predict_range(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        poses = _predict_chunk(
            predict_crops,
            pyramid,
            box_inputs.rows(start, stop),
            CropCameras(*(values[:, start:stop] for values in cameras)),
            augmentations,
            mirror_mapping,
            crop_side,
            antialias_factor,
        )
        return tf.reshape(poses, [-1, num_joints, 3])

    boxes_at_once = internal_batch_size // num_aug
    boxes_at_once = tf.where(boxes_at_once > 0, boxes_at_once, tf.maximum(num_boxes, 1))
    poses = concat_over_chunks(_predict_range, num_boxes, boxes_at_once, [num_joints, 3])
    poses = tf.reshape(poses, [num_boxes, num_aug, num_joints, 3])
    return tf.where(box_cameras.is_valid[:, tf.newaxis, tf.newaxis, tf.newaxis], poses, np.nan)


def project_poses(poses: tf.Tensor, intrinsics: tf.Tensor, coeffs: tf.Tensor) -> tf.Tensor:
    """Projects `[B, A, J, 3]` to image pixels `[B, A, J, 2]`, lens distortion included."""
    shape = tf.shape(poses)
    flat = tf.reshape(poses, [shape[0], shape[1] * shape[2], 3])
    points = distort_points(project(flat), coeffs)
    x, y = points[..., :1], points[..., 1:]
    m = intrinsics[:, tf.newaxis, :2]
    pixels = m[..., 0] * x + m[..., 1] * y + m[..., 2]
    return tf.reshape(pixels, tf.concat([shape[:3], [2]], axis=0))


def _predict_chunk(
    predict_crops: CropPredictor,
    pyramid: ImagePyramid,
    box_inputs: BoxInputs,
    cameras: CropCameras,
    augmentations: Augmentations,
    mirror_mapping: np.ndarray,
    crop_side: tf.Tensor,
    antialias_factor: tf.Tensor,
) -> tf.Tensor:
    """Returns `[b, A, J, 3]` for the boxes given."""
    crops = render_views(
        pyramid, box_inputs, cameras, augmentations.gammas, crop_side, antialias_factor
    )
    poses = predict_crops(crops, tf.reshape(cameras.intrinsics, [-1, 3, 3]))
    return _undo_views(poses, cameras.rotations, augmentations.is_flipped, mirror_mapping)


def render_views(
    pyramid: ImagePyramid,
    box_inputs: BoxInputs,
    cameras: CropCameras,
    gammas: tf.Tensor,
    crop_side: tf.Tensor,
    antialias_factor: tf.Tensor,
) -> tf.Tensor:
    """Renders the crops of all views, view by view.

    Args:
        pyramid: the source images.
        box_inputs: B boxes.
        cameras: `[A, B, ...]`.
        gammas: `[A]`.
        crop_side: int32, pixels.
        antialias_factor: int32.

    Returns:
        `[A * B, side, side, 3]`, display values in 0..1.
    """
    num_aug, num_boxes = tf.shape(cameras.scales)[0], tf.shape(cameras.scales)[1]
    crops = extract_crops(
        pyramid,
        tf.tile(box_inputs.image_ids, [num_aug]),
        tf.reshape(cameras.inverse_projections, [-1, 3, 3]),
        tf.tile(box_inputs.intrinsics, [num_aug, 1, 1]),
        tf.tile(box_inputs.distortion_coeffs, [num_aug, 1]),
        tf.reshape(cameras.scales, [-1]),
        crop_side,
        antialias_factor,
    )
    return encode_gamma(crops, tf.repeat(gammas, num_boxes))


def _undo_views(
    poses: tf.Tensor, rotations: tf.Tensor, is_flipped: tf.Tensor, mirror_mapping: np.ndarray
) -> tf.Tensor:
    """Brings poses `[A * b, J, 3]` from their crop cameras to the original one, `[b, A, J, 3]`.

    The rotations of mirrored views contain the mirroring; the joints' names have to follow.
    """
    num_aug, num_boxes = tf.shape(rotations)[0], tf.shape(rotations)[1]
    is_flipped = tf.repeat(is_flipped, num_boxes)[:, tf.newaxis, tf.newaxis]
    poses = tf.where(is_flipped, tf.gather(poses, mirror_mapping, axis=1), poses)
    inverse_rotations = tf.reshape(tf.linalg.matrix_transpose(rotations), [-1, 3, 3])
    poses = transform_points(poses, inverse_rotations)
    poses = tf.reshape(poses, [num_aug, num_boxes, len(mirror_mapping), 3])
    return tf.transpose(poses, [1, 0, 2, 3])
