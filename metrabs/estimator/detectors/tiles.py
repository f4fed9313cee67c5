"""Overlapping image tiles, for detecting people that are small in a large image."""

from __future__ import annotations

import itertools

import tensorflow as tf

# Of two adjacent tiles, as a fraction of a tile: smaller people are whole in one of them.
OVERLAP = 0.25
# Boxes that end this close to a cut, as a fraction of a tile, are considered parts of people.
CUT_MARGIN = 0.02


def tile_size_and_starts(
    image_size_hw: tf.Tensor, tiles_per_side: int
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Lays a grid of equal, overlapping tiles over an image.

    Args:
        image_size_hw: int32 `[2]`, pixels.
        tiles_per_side: n of the n x n grid.

    Returns:
        The size int32 `[2]` of all tiles, and for each tile its start (y, x) int32 `[2]`. The
        tiles cover the image, row by row, and lie within it.
    """
    size = tf.cast(image_size_hw, tf.float32)
    tile_size = tf.cast(
        tf.math.ceil(size / (tiles_per_side - OVERLAP * (tiles_per_side - 1))), tf.int32
    )
    free = image_size_hw - tile_size
    last = max(tiles_per_side - 1, 1)
    grid = itertools.product(range(tiles_per_side), repeat=2)
    return tile_size, [free * tf.constant(place) // last for place in grid]


def cut_tiles(images: tf.Tensor, tile_size_hw: tf.Tensor, starts_yx: list[tf.Tensor]) -> tf.Tensor:
    """Cuts all tiles out of `[N, H, W, 3]`; returns `[tiles * N, h, w, 3]`, tile by tile."""
    height, width = tile_size_hw[0], tile_size_hw[1]
    return tf.concat(
        [images[:, y : y + height, x : x + width] for y, x in map(tf.unstack, starts_yx)], axis=0
    )


def are_small_and_whole(
    corners: tf.Tensor,
    tile_size_hw: tf.Tensor,
    starts_yx: list[tf.Tensor],
    image_size_hw: tf.Tensor,
) -> tf.Tensor:
    """Returns which boxes are smaller than the overlap and do not end at a cut through the image.

    Each person smaller than the overlap is whole in some tile, and larger people are detected in
    the full image; other detections in tiles are mostly parts of people.

    Args:
        corners: `[tiles, N, A, 4]`, top, left, bottom, right in image pixels.
        tile_size_hw: int32 `[2]`.
        starts_yx: int32 `[2]` of each tile.
        image_size_hw: int32 `[2]`.

    Returns:
        bool `[tiles, N, A]`.
    """
    starts = tf.stack(starts_yx)
    ends = starts + tile_size_hw
    tile_size = tf.cast(tile_size_hw, tf.float32)
    margin = CUT_MARGIN * tile_size
    smallest = tf.where(starts > 0, tf.cast(starts, tf.float32) + margin, -float("inf"))
    largest = tf.where(ends < image_size_hw, tf.cast(ends, tf.float32) - margin, float("inf"))
    begins_inside = corners[..., :2] > smallest[:, tf.newaxis, tf.newaxis]
    ends_inside = corners[..., 2:] < largest[:, tf.newaxis, tf.newaxis]
    is_small = corners[..., 2:] - corners[..., :2] <= OVERLAP * tile_size
    return tf.reduce_all(begins_inside & ends_inside & is_small, axis=-1)
