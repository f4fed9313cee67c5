"""Resampling images into crops: linear light, an image pyramid, bilinear interpolation.

All levels of all images lie in one flat list of pixels, so that all crops of a batch are sampled
at once, from any image and level. Each image has a black border, which makes everything outside
black and fades the edge over one pixel, like in the original implementation. `tfa.image` would
need a copy of the image for each crop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from metrabs.estimator.chunks import concat_over_chunks
from metrabs.geometry.distortion_tf import distort_points
from metrabs.geometry.projection import corner_aligned_scaling, matrix_product
from metrabs.models.inference_model import runs_on

NUM_LEVELS = 3
DISPLAY_GAMMA = 2.2

# Output pixels that are sampled at once: few on CPUs, to stay in their caches, and enough
# to keep a GPU busy.
_PIXELS_AT_ONCE, _PIXELS_AT_ONCE_ON_GPU = 2**18, 2**21

# Black pixels per row and column: one before, two after, so that a position on the centre of the
# first one after still has a next pixel.
_NUM_BORDER_PIXELS = 3

# From pixels of an image to pixels of the same image with its border.
_INTO_BORDER = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 1]], np.float32)
_FAR_AWAY = 1e9


class ImagePyramid(NamedTuple):
    """Linear-light images at full, half and quarter resolution.

    Attributes:
        pixels: `[number of all pixels, 3]`, level by level, image by image, row by row.
        starts: int32 `[levels]`, index of the first pixel of the level.
        heights: int32 `[levels]`, without the border.
        widths: int32 `[levels]`, without the border.
    """

    pixels: tf.Tensor
    starts: tf.Tensor
    heights: tf.Tensor
    widths: tf.Tensor


def decode_gamma(images: Any) -> tf.Tensor:
    """Maps uint8 display values to linear light in 0..1, float32."""
    return _power(tf.cast(images, tf.float32) / 255, DISPLAY_GAMMA)


def encode_gamma(crops: Any, gammas: Any) -> tf.Tensor:
    """Maps linear light `[C, h, w, 3]` to display values, with an extra exponent per crop."""
    exponents = tf.convert_to_tensor(gammas) / DISPLAY_GAMMA
    return _power(crops, exponents[:, tf.newaxis, tf.newaxis, tf.newaxis])


def pad_tiny_images(images: Any) -> tf.Tensor:
    """Adds black pixels at the right and bottom of `[N, H, W, 3]` too small for a pyramid."""
    min_side = 2 ** (NUM_LEVELS - 1)
    missing = tf.maximum(min_side - tf.shape(images)[1:3], 0)
    return tf.pad(images, [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]])


def build_pyramid(images: Any) -> ImagePyramid:
    """Builds the pyramid of linear-light images `[N, H, W, 3]`, at least 4 x 4 pixels."""
    levels = [tf.convert_to_tensor(images)]
    for _ in range(NUM_LEVELS - 1):
        levels.append(halve_images(levels[-1]))
    border = [1, _NUM_BORDER_PIXELS - 1]
    bordered = [tf.reshape(tf.pad(x, [[0, 0], border, border, [0, 0]]), [-1, 3]) for x in levels]
    return ImagePyramid(
        pixels=tf.concat(bordered, axis=0),
        starts=tf.cumsum(tf.stack([tf.shape(x)[0] for x in bordered]), exclusive=True),
        heights=tf.stack([tf.shape(x)[1] for x in levels]),
        widths=tf.stack([tf.shape(x)[2] for x in levels]),
    )


def halve_images(images: tf.Tensor) -> tf.Tensor:
    """Averages 2x2 pixels; the last row or column of an odd size is dropped."""
    return tf.nn.avg_pool2d(images, ksize=2, strides=2, padding="VALID")


def choose_levels(scales: Any) -> tf.Tensor:
    """Returns the int32 level for crops with these scales (crop pixels per image pixel)."""
    scales = tf.convert_to_tensor(scales)
    return sum(tf.cast(scales <= 0.5**level, tf.int32) for level in range(1, NUM_LEVELS))


def extract_crops(
    pyramid: ImagePyramid,
    image_ids: Any,
    inverse_projections: Any,
    intrinsics: Any,
    distortion_coeffs: Any,
    scales: Any,
    side: Any,
    antialias_factor: Any,
) -> tf.Tensor:
    """Samples square crops, optionally supersampled.

    Args:
        antialias_factor: int32, supersampling factor, 1 is off.
        side: int32, side of the crops.
        others: see `warp_images`.

    Returns:
        `[C, side, side, 3]` linear light.
    """
    # Deviation: any factor works, the original fails for 3.
    factor = tf.cast(antialias_factor, tf.int32)
    factor_float = tf.cast(factor, tf.float32)
    big_side = side * factor
    projections = matrix_product(inverse_projections, corner_aligned_scaling(1 / factor_float))

    def _warp_and_average(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        crops = warp_images(
            pyramid,
            image_ids[start:stop],
            projections[start:stop],
            intrinsics[start:stop],
            distortion_coeffs[start:stop],
            scales[start:stop] * factor_float,
            (big_side, big_side),
        )
        return tf.cond(factor > 1, lambda: _average_blocks(crops, side, factor), lambda: crops)

    pixels_at_once = tf.where(runs_on("GPU"), _PIXELS_AT_ONCE_ON_GPU, _PIXELS_AT_ONCE)
    crops_at_once = tf.maximum(1, pixels_at_once // tf.square(big_side))
    num_crops = tf.shape(projections)[0]
    # The side is known only when the graph runs; concatenation needs static shapes.
    rows = concat_over_chunks(
        lambda start, stop: tf.reshape(_warp_and_average(start, stop), [-1, 3]),
        num_crops,
        crops_at_once,
        [3],
    )
    return tf.reshape(rows, [num_crops, side, side, 3])


def warp_images(
    pyramid: ImagePyramid,
    image_ids: Any,
    inverse_projections: Any,
    intrinsics: Any,
    distortion_coeffs: Any,
    scales: Any,
    shape_hw: tuple[Any, Any],
) -> tf.Tensor:
    """Renders what other pinhole cameras at the same place would see.

    Rays that point backwards are sampled where the opposite rays point to (original).

    Args:
        pyramid: the source images.
        image_ids: int32 `[C]`, which image each crop is taken from.
        inverse_projections: `[C, 3, 3]`, crop pixel (x, y, 1) -> ray in the image's camera frame.
        intrinsics: `[C, 3, 3]` of the source image.
        distortion_coeffs: `[C, n]`, n <= 12, of the source image.
        scales: `[C]`, crop pixels per image pixel; they choose the pyramid level.
        shape_hw: height and width of the crops.

    Returns:
        `[C, h, w, 3]`, linear light.
    """
    levels = choose_levels(scales)
    shrinking = corner_aligned_scaling(0.5 ** tf.cast(levels, tf.float32))
    intrinsics = matrix_product(_INTO_BORDER, matrix_product(shrinking, intrinsics))
    x, y = tf.cond(
        tf.reduce_any(tf.not_equal(distortion_coeffs, 0)),
        lambda: _distorted_positions(inverse_projections, intrinsics, distortion_coeffs, shape_hw),
        lambda: _project_grid(matrix_product(intrinsics, inverse_projections), shape_hw),
    )
    return _sample_bilinear(pyramid, image_ids, levels, x, y)


def _distorted_positions(
    inverse_projections: Any, intrinsics: Any, distortion_coeffs: Any, shape_hw: tuple[Any, Any]
) -> tuple[tf.Tensor, tf.Tensor]:
    points = tf.stack(_project_grid(inverse_projections, shape_hw), axis=-1)
    points = distort_points(points, distortion_coeffs)
    points = tf.where(tf.math.is_finite(points), points, _FAR_AWAY)
    return _affine(_zero_unless_finite(intrinsics[:, :2]), points[..., 0], points[..., 1])


def _project_grid(matrices: tf.Tensor, shape_hw: tuple[Any, Any]) -> tuple[tf.Tensor, tf.Tensor]:
    """Projects the pixels of a crop by matrices `[C, 3, 3]`; returns x and y, each `[C, h, w]`.

    They are numbers even where a matrix holds none: zero, which is on the images' border.
    """
    height, width = shape_hw
    columns = tf.cast(tf.range(width), tf.float32)[tf.newaxis, tf.newaxis]
    rows = tf.cast(tf.range(height), tf.float32)[tf.newaxis, :, tf.newaxis]
    x, y, depth = _affine(_zero_unless_finite(matrices), columns, rows)
    inverse_depth = tf.math.reciprocal_no_nan(depth)
    return x * inverse_depth, y * inverse_depth


def _zero_unless_finite(matrices: tf.Tensor) -> tf.Tensor:
    is_finite = tf.reduce_all(tf.math.is_finite(matrices), axis=[-2, -1], keepdims=True)
    return tf.where(is_finite, matrices, 0.0)


def _affine(matrices: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> Any:
    """Multiplies matrices `[C, m, 3]` with (x, y, 1); returns the m coordinates separately."""
    m = tf.convert_to_tensor(matrices)[..., tf.newaxis, tf.newaxis]
    return tuple(m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(matrices.shape[1]))


def _sample_bilinear(
    pyramid: ImagePyramid, image_ids: Any, levels: tf.Tensor, x: tf.Tensor, y: tf.Tensor
) -> tf.Tensor:
    """Interpolates at positions x, y `[C, h, w]` in pixels of the level, the border included.

    The arithmetic runs on one plane per colour: broadcasting weights over a last axis of three
    colours would take twice as long.
    """
    height = tf.gather(pyramid.heights, levels)[:, tf.newaxis, tf.newaxis]
    width = tf.gather(pyramid.widths, levels)[:, tf.newaxis, tf.newaxis]
    column, x_weight = _cell_and_weight(x, width)
    row, y_weight = _cell_and_weight(y, height)
    stride, rows = width + _NUM_BORDER_PIXELS, height + _NUM_BORDER_PIXELS
    image_starts = tf.gather(pyramid.starts, levels)[:, tf.newaxis, tf.newaxis]
    image_starts += tf.reshape(image_ids, [-1, 1, 1]) * (rows * stride)
    index = row * stride + (column + image_starts)
    top = _interpolate(pyramid.pixels, index, x_weight)
    bottom = _interpolate(pyramid.pixels, index + stride, x_weight)
    return tf.transpose(top + y_weight * (bottom - top), [1, 2, 3, 0])


def _cell_and_weight(position: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the index of the pixel before a position, and the weight of the one after it.

    The border counts, so the image's pixels are 1 to `size`. What lies outside is moved onto the
    centres of the border's pixels 0 and `size + 1`.
    """
    position = tf.maximum(tf.minimum(position, tf.cast(size + 1, tf.float32)), 0.0)
    index = tf.cast(position, tf.int32)
    return index, position - tf.cast(index, tf.float32)


def _interpolate(pixels: tf.Tensor, index: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Interpolates between pixels `index` and `index + 1`, both `[C, h, w]`: `[3, C, h, w]`."""
    first, second = _planes(pixels, index), _planes(pixels, index + 1)
    return first + weight * (second - first)


def _planes(pixels: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    # This operation is faster than `tf.gather` for rows as short as these.
    return tf.transpose(tf.gather_nd(pixels, index[..., tf.newaxis]), [3, 0, 1, 2])


def _average_blocks(images: tf.Tensor, side: Any, factor: tf.Tensor) -> tf.Tensor:
    """Averages blocks of factor x factor pixels down to `[C, side, side, 3]`."""
    blocks = tf.reshape(images, [-1, side, factor, side, factor, 3])
    return tf.reduce_mean(blocks, axis=[2, 4])


def _power(values: tf.Tensor, exponent: Any) -> tf.Tensor:
    """Raises values >= 0 to a positive power; several times faster than `tf.pow` on CPUs."""
    return tf.exp(tf.math.log(values) * exponent)
