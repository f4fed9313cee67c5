"""A detection network as a person detector: flipped views, tiles and suppression of duplicates."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors import contract
from metrabs.estimator.detectors.tiles import are_small_and_whole, cut_tiles, tile_size_and_starts

_NEVER = -1.0  # a score below all thresholds


class NetworkInput(NamedTuple):
    """Images of one size, resized for a network.

    Attributes:
        pixels: `[N, h, w, 3]` float32.
        offset_yx: `[2]`, where the image begins in `pixels`.
        scale_yx: `[2]`, image pixels per pixel of `pixels`.
    """

    pixels: tf.Tensor
    offset_yx: tf.Tensor
    scale_yx: tf.Tensor


class DetectionNetwork(Protocol):
    """Interface of the networks; each is also a `tf.Module`.

    Attributes:
        model_name: Name of the network in the detector setting.
    """

    model_name: str

    def prepare(self, images: tf.Tensor) -> NetworkInput:
        """Resizes uint8 images `[N, H, W, 3]`."""

    def find_candidates(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns corners (top, left, bottom, right) `[N, A, 4]` in `pixels`, scores `[N, A]`."""


class PersonDetector(tf.Module):
    """Finds people in images of any size; meets `metrabs.estimator.detectors.contract`.

    Args:
        network: finds candidates in resized images.
        tiles_per_side: 1 looks at the whole image only; n > 1 also looks for small people in
            n x n overlapping parts of it, which takes n * n times longer.

    Attributes:
        description: names the network and the tiles.

    Raises:
        UserError: `tiles_per_side` is less than 1.
    """

    def __init__(self, network: DetectionNetwork, tiles_per_side: int = 1) -> None:
        super().__init__(name="person_detector")
        if tiles_per_side < 1:
            raise UserError(f"{tiles_per_side} tiles per side were asked for; give 1 or more.")
        self._network = network
        self._tiles_per_side = tiles_per_side
        tiles = f" tiles={tiles_per_side}" if tiles_per_side > 1 else ""
        self.description = f"{network.model_name}{tiles}"

    @tf.function(input_signature=contract.prediction_signature(batched=True), autograph=False)
    def predict_multi_image(
        self,
        images: tf.Tensor,
        threshold: Any = contract.DEFAULT_THRESHOLD,
        nms_iou_threshold: Any = contract.DEFAULT_NMS_IOU_THRESHOLD,
        flip_aug: Any = False,
        bothflip_aug: Any = False,
    ) -> tf.RaggedTensor:
        """Detects people in images of one size.

        Args:
            images: uint8 `[N, H, W, 3]`, RGB.
            threshold: smallest score of a detection.
            nms_iou_threshold: overlap of boxes above which only the better one is kept.
            flip_aug: merges the detections of the image and of its mirror image.
            bothflip_aug: also merges those of the image upside down; includes `flip_aug`.

        Returns:
            Ragged `[N, None, 5]`: left, top, width, height in image pixels, not clipped, and
            score; best score first, at most 150 per image.
        """
        corners, scores = self._candidates(images, flip_aug, bothflip_aug)
        if self._tiles_per_side > 1:
            tile_corners, tile_scores = self._tile_candidates(images, flip_aug, bothflip_aug)
            corners = tf.concat([corners, tile_corners], axis=1)
            scores = tf.concat([scores, tile_scores], axis=1)
        return suppress_overlapping(corners, scores, threshold, nms_iou_threshold)

    @tf.function(input_signature=contract.prediction_signature(batched=False), autograph=False)
    def predict_single_image(
        self,
        image: tf.Tensor,
        threshold: Any = contract.DEFAULT_THRESHOLD,
        nms_iou_threshold: Any = contract.DEFAULT_NMS_IOU_THRESHOLD,
        flip_aug: Any = False,
        bothflip_aug: Any = False,
    ) -> tf.Tensor:
        """Does as `predict_multi_image` for one image `[H, W, 3]`; returns its rows `[n, 5]`."""
        return self.predict_multi_image(
            image[tf.newaxis], threshold, nms_iou_threshold, flip_aug, bothflip_aug
        ).values

    # An inner function, so that the network is stored once, whole images or tiles.
    @tf.function(
        input_signature=[
            contract.prediction_signature(batched=True)[0],
            *contract.prediction_signature(batched=True)[3:],
        ],
        autograph=False,
    )
    def _candidates(
        self, images: tf.Tensor, flip_aug: tf.Tensor, bothflip_aug: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns corners `[N, C, 4]` in image pixels and scores `[N, C]` of all views."""
        num_images = tf.shape(images)[0]
        prepared = self._network.prepare(images)
        size_hw = tf.cast(tf.shape(prepared.pixels)[1:3], tf.float32)
        views = _with_flipped_views(prepared.pixels, flip_aug, bothflip_aug)
        corners, scores = self._network.find_candidates(views)
        num_views = tf.shape(views)[0] // num_images
        corners = _flip_back(tf.reshape(corners, [num_views, num_images, -1, 4]), size_hw)
        corners -= tf.tile(prepared.offset_yx, [2])
        corners *= tf.tile(prepared.scale_yx, [2])
        return _gather_by_image(corners, tf.reshape(scores, [num_views, num_images, -1]))

    def _tile_candidates(
        self, images: tf.Tensor, flip_aug: Any, bothflip_aug: Any
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Same as `_candidates` for tiles; people who are cut or large get an impossible score."""
        num_images, image_size = tf.shape(images)[0], tf.shape(images)[1:3]
        tile_size, starts = tile_size_and_starts(image_size, self._tiles_per_side)
        tiles = cut_tiles(images, tile_size, starts)
        corners, scores = self._candidates(tiles, flip_aug, bothflip_aug)
        num_tiles = len(starts)
        corners = tf.reshape(corners, [num_tiles, num_images, -1, 4])
        corners += tf.tile(tf.cast(tf.stack(starts), tf.float32), [1, 2])[:, None, None]
        scores = tf.reshape(scores, [num_tiles, num_images, -1])
        is_wanted = are_small_and_whole(corners, tile_size, starts, image_size)
        return _gather_by_image(corners, tf.where(is_wanted, scores, _NEVER))


def suppress_overlapping(
    corners: tf.Tensor, scores: tf.Tensor, threshold: Any, nms_iou_threshold: Any
) -> tf.RaggedTensor:
    """Keeps the best of overlapping candidates.

    Args:
        corners: `[N, C, 4]`, top, left, bottom, right in image pixels.
        scores: `[N, C]`.
        threshold: smallest score.
        nms_iou_threshold: largest overlap.

    Returns:
        Ragged `[N, None, 5]`: left, top, width, height, score; best first, at most 150.
    """
    kept = tf.image.combined_non_max_suppression(
        corners[:, :, tf.newaxis],
        scores[:, :, tf.newaxis],
        max_output_size_per_class=contract.MAX_DETECTIONS,
        max_total_size=contract.MAX_DETECTIONS,
        iou_threshold=nms_iou_threshold,
        score_threshold=threshold,
        clip_boxes=False,
    )
    top, left, bottom, right = tf.unstack(kept.nmsed_boxes, axis=-1)
    rows = tf.stack([left, top, right - left, bottom - top, kept.nmsed_scores], axis=-1)
    return tf.RaggedTensor.from_tensor(rows, lengths=tf.cast(kept.valid_detections, tf.int64))


def _gather_by_image(corners: tf.Tensor, scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Joins what was found in V views or tiles, `[V, N, A, 4]` and `[V, N, A]`, per image."""
    num_images = tf.shape(scores)[1]
    return (
        tf.reshape(tf.transpose(corners, [1, 0, 2, 3]), [num_images, -1, 4]),
        tf.reshape(tf.transpose(scores, [1, 0, 2]), [num_images, -1]),
    )


def _with_flipped_views(images: tf.Tensor, flip_aug: Any, bothflip_aug: Any) -> tf.Tensor:
    """Appends the mirror images, and those upside down, along the batch axis."""
    mirrored = tf.cond(
        tf.logical_or(flip_aug, bothflip_aug), lambda: images[:, :, ::-1], lambda: images[:0]
    )
    upside_down = tf.cond(bothflip_aug, lambda: images[:, ::-1], lambda: images[:0])
    return tf.concat([images, mirrored, upside_down], axis=0)


def _flip_back(corners: tf.Tensor, size_hw: tf.Tensor) -> tf.Tensor:
    """Maps the boxes `[views, N, A, 4]` found in flipped views to the upright image."""
    height, width = size_hw[0], size_hw[1]
    top, left, bottom, right = tf.unstack(corners, axis=-1)
    mirrored = tf.stack([top, width - right, bottom, width - left], axis=-1)[1:2]
    upside_down = tf.stack([height - bottom, left, height - top, right], axis=-1)[2:]
    return tf.concat([corners[:1], mirrored, upside_down], axis=0)
