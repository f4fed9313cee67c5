"""The prediction head: one 1x1 convolution, soft-argmax, and heatmap units to pixels and mm.

The convolution gives `num_points * (1 + depth)` channels. The first `num_points` are 2D heatmaps
in the image plane, the rest volumetric heatmaps with the point index running fastest:
channel `num_points + d * num_points + p` is depth bin d (0 = nearest) of point p. Everything after
the convolution is float32, also under mixed precision, and has static shapes for static inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError


def softmax(logits: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Softmax jointly over several axes, so that the sum over all of them is one.

    The heads use `soft_argmax`, which divides by the sum later; reference numbers are compared
    with both.
    """
    exponentials = _shifted_exp(logits, axes)
    return exponentials / tf.reduce_sum(exponentials, axis=list(axes), keepdims=True)


def decode_heatmap(heatmap: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Returns the centre of mass of a heatmap whose sum over `axes` is one.

    Args:
        heatmap: Tensor of any rank; the axes not named in `axes` stay in their order.
        axes: Axes to locate along, in the order of the output coordinates.

    Returns:
        Coordinates in 0..1 (first cell 0, last cell 1), one per axis, along a new last axis.
    """
    axes = [axis % len(heatmap.shape) for axis in axes]
    return tf.stack([_center_of_mass_along(heatmap, axis, axes) for axis in axes], axis=-1)


def soft_argmax(logits: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    """Differentiable argmax: the centre of mass of the softmax over `axes` (Sun et al., 2018).

    Args:
        logits: Tensor of any rank and floating type; computed in float32.
        axes: Axes of x, y (and z), for example (2, 1, 3) for logits `[B, H, W, D, P]`.

    Returns:
        float32 coordinates in 0..1 in the order of `axes`, along a new last axis.
    """
    # Dividing the coordinates instead of the volume by the sum saves one pass over the volume.
    exponentials = _shifted_exp(tf.cast(logits, tf.float32), axes)
    total = tf.reduce_sum(exponentials, axis=list(axes))
    return decode_heatmap(exponentials, axes) / total[..., tf.newaxis]


def heatmap_to_image(
    coords: tf.Tensor, *, proc_side: int, stride: int, centered_stride: bool
) -> tf.Tensor:
    """Heatmap coordinates in 0..1 to crop pixels; keeps only x and y of 3D coordinates.

    The first and last cell lie at the receptive field centres of the backbone's outermost
    features, such as 16 and 240 for 256 pixels, stride 32, centred.

    Args:
        coords: `[..., 2 or 3]`, in 0..1.
        proc_side: Side of the crop in pixels.
        stride: Output stride of the backbone in pixels.
        centered_stride: Whether the backbone's last strided stage is centred.

    Returns:
        `[..., 2]` in pixels.
    """
    last_center = (proc_side - 1) - (proc_side - 1) % stride
    offset = stride // 2 if centered_stride else 0
    return coords[..., :2] * last_center + offset


def heatmap_to_metric(
    coords: tf.Tensor, *, proc_side: int, stride: int, centered_stride: bool, box_size_mm: float
) -> tf.Tensor:
    """Heatmap coordinates `[..., 3]` in 0..1 to millimetres in the box of side `box_size_mm`.

    The origin of this space is arbitrary; only differences between points are meaningful.
    """
    coords2d_px = heatmap_to_image(
        coords, proc_side=proc_side, stride=stride, centered_stride=centered_stride
    )
    return tf.concat(
        [coords2d_px * (box_size_mm / proc_side), coords[..., 2:] * box_size_mm], axis=-1
    )


def heatmap_to_25d(
    coords: tf.Tensor, *, proc_side: int, stride: int, centered_stride: bool, box_size_mm: float
) -> tf.Tensor:
    """Heatmap coordinates `[..., 3]` in 0..1 to x, y in crop pixels and z in millimetres.

    Only a golden file of the original implementation needs it.
    """
    coords2d_px = heatmap_to_image(
        coords, proc_side=proc_side, stride=stride, centered_stride=centered_stride
    )
    return tf.concat([coords2d_px, coords[..., 2:] * box_size_mm], axis=-1)


class HeatmapHeads(tf.keras.layers.Layer):
    """Predicts every point in the image plane (2D head) and in a metric volume (3D head).

    Args:
        num_points: Number of points to predict (joints, latents or both).
        depth: Number of depth bins of the volume.
        proc_side: Side of the crop in pixels.
        box_size_mm: Side of the volume in mm.
        stride_train: Output stride of the backbone in training, in pixels.
        stride_test: Output stride at test time.
        centered_stride: Whether the backbone's last strided stage is centred.
        num_detached_points: Number of leading points whose gradient stops at the features.
    """

    def __init__(
        self,
        num_points: int,
        depth: int = 8,
        *,
        proc_side: int = 256,
        box_size_mm: float = 2200.0,
        stride_train: int = 32,
        stride_test: int = 32,
        centered_stride: bool = True,
        num_detached_points: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_points = num_points
        self.depth = depth
        self.proc_side = proc_side
        self.box_size_mm = box_size_mm
        self.stride_train = stride_train
        self.stride_test = stride_test
        self.centered_stride = centered_stride
        self.num_detached_points = num_detached_points
        self.conv = tf.keras.layers.Conv2D(
            num_points * self.num_channels_per_point, kernel_size=1, name="conv"
        )

    @property
    def num_channels_per_point(self) -> int:
        """Channels of the convolution per point: a 2D heatmap and the slices of the volume."""
        return 1 + self.depth

    def build(self, input_shape: Any) -> None:
        """Creates the weights of the convolution."""
        self.conv.build(input_shape)
        super().build(input_shape)

    def call(
        self, features: tf.Tensor, training: Optional[bool] = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps features `[B, H, W, C]` to the outputs of `decode`."""
        return self.decode(self.logits(features), training=training)

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Maps features `[B, H, W, C]` to heatmaps `[B, H, W, num_points * (1 + depth)]`."""
        logits = self.conv(features)
        if not self.num_detached_points:
            return logits
        points = np.arange(self.conv.filters) % self.num_points
        return tf.where(
            points < self.num_detached_points, self.conv(tf.stop_gradient(features)), logits
        )

    def decode(
        self, logits: tf.Tensor, training: Optional[bool] = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Locates the points in the output of the convolution.

        Args:
            logits: `[B, H, W, num_points * (1 + depth)]`, any floating type.
            training: Selects the stride; None counts as False.

        Returns:
            float32 `coords2d [B, P, 2]` in crop pixels and `coords3d_rel [B, P, 3]` in mm of the
            box space (see `heatmap_to_metric`).
        """
        grid: dict[str, Any] = dict(
            proc_side=self.proc_side,
            stride=self.stride_train if training else self.stride_test,
            centered_stride=self.centered_stride,
        )
        logits2d, logits3d_flat = tf.split(
            tf.cast(logits, tf.float32), [self.num_points, self.num_points * self.depth], axis=-1
        )
        height, width = (logits.shape[i] or tf.shape(logits)[i] for i in (1, 2))
        logits3d = tf.reshape(logits3d_flat, [-1, height, width, self.depth, self.num_points])
        coords2d = heatmap_to_image(soft_argmax(logits2d, axes=(2, 1)), **grid)
        coords3d_rel = heatmap_to_metric(
            soft_argmax(logits3d, axes=(2, 1, 3)), box_size_mm=self.box_size_mm, **grid
        )
        return coords2d, coords3d_rel

    def set_last_point_weights(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        """Writes the weights of a head with fewer (or as many) points into the last points.

        Args:
            kernel: `[1, 1, C, P' * (1 + depth)]` with P' at most `num_points`.
            bias: `[P' * (1 + depth)]`.

        Raises:
            UserError: the weights do not fit this head.
        """
        own_kernel, own_bias = self.conv.get_weights()
        self._check_other_head(own_kernel, np.asarray(kernel), np.asarray(bias))
        self.conv.set_weights(
            [self._with_last_points(own_kernel, kernel), self._with_last_points(own_bias, bias)]
        )

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = (
            "num_points",
            "depth",
            "proc_side",
            "box_size_mm",
            "stride_train",
            "stride_test",
            "centered_stride",
            "num_detached_points",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _with_last_points(self, own: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Replaces the last points in an array whose last axis is (2D, depth bins) x points."""
        leading = own.shape[:-1]
        result = own.reshape(*leading, self.num_channels_per_point, self.num_points).copy()
        num_other = other.shape[-1] // self.num_channels_per_point
        result[..., self.num_points - num_other :] = other.reshape(
            *leading, self.num_channels_per_point, num_other
        )
        return result.reshape(own.shape)

    def _check_other_head(
        self, own_kernel: np.ndarray, kernel: np.ndarray, bias: np.ndarray
    ) -> None:
        channels = kernel.shape[-1]
        fits = (
            kernel.shape[:-1] == own_kernel.shape[:-1]
            and bias.shape == (channels,)
            and channels % self.num_channels_per_point == 0
            and channels <= own_kernel.shape[-1]
        )
        if not fits:
            raise UserError(
                f"Head weights with kernel {kernel.shape} and bias {bias.shape} do not fit into "
                f"a head with kernel {own_kernel.shape} (depth {self.depth}); expected the same "
                "input channels and depth and no more points."
            )


class VolumeHeads(HeatmapHeads):
    """Predicts every point in a volume, which also determines its image coordinates.

    The head of Metro and Model25D. The convolution gives `depth * num_points` channels; channel
    `d * num_points + p` is depth bin d (0 = nearest) of point p. Arguments: see `HeatmapHeads`.
    """

    @property
    def num_channels_per_point(self) -> int:
        """Channels of the convolution per point: the slices of the volume."""
        return self.depth

    def decode(
        self, logits: tf.Tensor, training: Optional[bool] = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Locates the points in the output of the convolution `[B, H, W, depth * num_points]`.

        Args:
            logits: Tensor of any floating type.
            training: Selects the stride; None counts as False.

        Returns:
            float32 `coords2d [B, P, 2]` in crop pixels and `coords3d_rel [B, P, 3]` in mm of the
            box space, both from the same volume.
        """
        grid: dict[str, Any] = dict(
            proc_side=self.proc_side,
            stride=self.stride_train if training else self.stride_test,
            centered_stride=self.centered_stride,
        )
        height, width = (logits.shape[i] or tf.shape(logits)[i] for i in (1, 2))
        volume = tf.reshape(logits, [-1, height, width, self.depth, self.num_points])
        coords = soft_argmax(volume, axes=(2, 1, 3))
        metric = heatmap_to_metric(coords, box_size_mm=self.box_size_mm, **grid)
        return heatmap_to_image(coords, **grid), metric


def _shifted_exp(logits: tf.Tensor, axes: Sequence[int]) -> tf.Tensor:
    maximum = tf.reduce_max(logits, axis=list(axes), keepdims=True)
    return tf.exp(logits - tf.stop_gradient(maximum))


def _center_of_mass_along(heatmap: tf.Tensor, axis: int, axes: Sequence[int]) -> tf.Tensor:
    other_axes = [other for other in axes if other != axis]
    marginal = tf.reduce_sum(heatmap, axis=other_axes, keepdims=True)
    size = heatmap.shape[axis] or tf.shape(heatmap)[axis]
    positions = tf.range(size, dtype=heatmap.dtype)
    if not isinstance(size, int) or size > 1:
        positions /= tf.cast(tf.maximum(size - 1, 1), heatmap.dtype)
    shape = [1] * len(heatmap.shape)
    shape[axis] = -1
    return tf.reduce_sum(marginal * tf.reshape(positions, shape), axis=list(axes))
