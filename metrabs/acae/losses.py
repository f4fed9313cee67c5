"""The objective of the autoencoder: reconstruct poses by sparse combinations."""

from __future__ import annotations

import tensorflow as tf

from metrabs.geometry import MM_PER_M
from metrabs.geometry.projection import project


def reconstruction_loss(
    poses: tf.Tensor, reconstructions: tf.Tensor, projected: bool = True
) -> tf.Tensor:
    """Averages the absolute differences of all coordinates.

    The projected loss compares image projections, at the scale of the person: normalised image
    coordinates times the mean depth of the input pose. Depth differences along a viewing ray then
    cost nothing; they are what the formats disagree about in the pseudo-labels.

    Args:
        poses: camera-space poses `[batch, joints, 3]`, mm, all depths positive.
        reconstructions: what the autoencoder makes of them, same shape.
        projected: compare projections, not 3D coordinates.

    Returns:
        Scalar, metres.
    """
    if not projected:
        return tf.reduce_mean(tf.abs(poses - reconstructions)) / MM_PER_M
    mean_depths = tf.reduce_mean(poses[..., 2:], axis=1, keepdims=True)
    difference = scaled_projection(poses, mean_depths) - scaled_projection(
        reconstructions, mean_depths
    )
    return tf.reduce_mean(tf.abs(difference))


def scaled_projection(poses: tf.Tensor, depths: tf.Tensor) -> tf.Tensor:
    """Projects poses to the image plane at given depths.

    Args:
        poses: `[batch, joints, 3]`, mm.
        depths: depth of the image plane for every pose `[batch, 1, 1]`, mm.

    Returns:
        `[batch, joints, 2]`, metres.
    """
    return project(poses) * depths / MM_PER_M


def sparsity_loss(w1: tf.Tensor, w2: tf.Tensor) -> tf.Tensor:
    """Adds the mean absolute weights of both matrices.

    Since columns sum to one, it is at least `1 / joints + 1 / latents`, which is reached exactly
    where no weight is negative.
    """
    return tf.reduce_mean(tf.abs(w1)) + tf.reduce_mean(tf.abs(w2))
