"""Cropping images to the region that the views show: nothing else needs to be decoded."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from metrabs.estimator.box_inputs import BoxInputs
from metrabs.estimator.virtual_cameras import CropCameras
from metrabs.estimator.warping import NUM_LEVELS
from metrabs.geometry.projection import matrix_product, to_homogeneous, transform_points

# Blocks of pixels that become one pixel of the coarsest level must not be cut.
_BLOCK = 2 ** (NUM_LEVELS - 1)

# A position within half a block of a block's border is interpolated with the adjacent block.
# Samples come that close to the border of a view in wide-angle images, where the side of a crop
# that is nearer to the image centre shows fewer image pixels per crop pixel than its middle.
_MARGIN = _BLOCK


def crop_images_to_views(
    images: tf.Tensor, box_inputs: BoxInputs, cameras: CropCameras, crop_side: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """Crops images to a rectangle that contains the regions shown by all views.

    If a lens bends straight lines or a view reaches behind the camera, the corners of the view do
    not bound what it shows; then the images stay whole. Without views, one block of pixels is
    left.

    Args:
        images: `[N, H, W, 3]`, at least one block of pixels.
        box_inputs: The B boxes.
        cameras: Cameras of the A views of each box, `[A, B, ...]`.
        crop_side: Side of the square views, pixels.

    Returns:
        Images `[N, h, w, 3]`, and the int32 position (x, y) of their first pixel in the original.
    """
    size_xy = tf.shape(images)[2:0:-1]
    corners, is_usable = _corners_of_views(box_inputs, cameras, crop_side)
    is_known = is_usable & tf.reduce_all(box_inputs.distortion_coeffs == 0)
    size = tf.cast(size_xy, tf.float32)
    first, last = (
        tf.clip_by_value(reduce(corners, axis=[0, 1]), -size, 2 * size)
        for reduce in (tf.reduce_min, tf.reduce_max)
    )
    start = tf.cast(tf.floor(first), tf.int32) - _MARGIN
    stop = tf.cast(tf.math.ceil(last), tf.int32) + 1 + _MARGIN
    start = tf.minimum(tf.maximum(start, 0), size_xy - _BLOCK) // _BLOCK * _BLOCK
    stop = tf.minimum(tf.maximum(-(-stop // _BLOCK) * _BLOCK, start + _BLOCK), size_xy)
    start, stop = tf.where(is_known, start, 0), tf.where(is_known, stop, size_xy)
    return images[:, start[1] : stop[1], start[0] : stop[0]], start


def shift_origin(intrinsics: tf.Tensor, origin_xy: tf.Tensor) -> tf.Tensor:
    """Returns the intrinsics `[..., 3, 3]` of an image cropped at the corner `origin_xy`."""
    shift = tf.pad(tf.cast(origin_xy, tf.float32)[:, tf.newaxis], [[0, 1], [2, 0]])
    return matrix_product(tf.eye(3) - shift, intrinsics)


def _corners_of_views(
    box_inputs: BoxInputs, cameras: CropCameras, crop_side: Any
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns image positions `[A * B, 4, 2]`, and whether all are in front of the camera."""
    # The outer edges of the outermost pixels, which samples come close to with supersampling.
    end = tf.cast(crop_side, tf.float32) - 0.5
    corners = tf.stack([[-0.5, -0.5], [end, -0.5], [-0.5, end], [end, end]])
    projections = matrix_product(box_inputs.intrinsics, cameras.inverse_projections)
    points = transform_points(
        to_homogeneous(corners)[tf.newaxis], tf.reshape(projections, [-1, 3, 3])
    )
    is_usable = tf.reduce_all(tf.math.is_finite(points)) & tf.reduce_all(points[..., 2] > 0)
    return points[..., :2] / points[..., 2:], is_usable
