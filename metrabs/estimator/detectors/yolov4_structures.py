"""The structures of YOLOv4 and YOLOv4-tiny (Bochkovskiy et al., 2020; Wang et al., 2021).

Each is a function of the image and of `convolve`, which applies the next convolution. They call it
in the order of darknet's configuration files, which is that of the weights files.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Optional, Protocol

import tensorflow as tf

NUM_CLASSES = 80  # of COCO; persons are class 0
ANCHORS_PER_SCALE = 3
_OUTPUT_CHANNELS = ANCHORS_PER_SCALE * (5 + NUM_CLASSES)

Activation = Callable[[tf.Tensor], tf.Tensor]


class Convolve(Protocol):
    """Applies the next convolution of a network; without activation it has a plain bias."""

    def __call__(
        self,
        x: tf.Tensor,
        num_outputs: int,
        kernel_size: int,
        activation: Optional[Activation],
        stride: int = 1,
    ) -> tf.Tensor:
        """Maps `[B, h, w, channels]` to `[B, h / stride, w / stride, num_outputs]`."""


@dataclasses.dataclass(frozen=True)
class YoloStructure:
    """A network and how its outputs are to be read.

    Attributes:
        name: Name in the detector setting.
        network: (image `[B, H, W, 3]` in 0..1, sides multiples of 32; convolve; upsample) ->
            outputs `[B, H / stride, W / stride, 3 * 85]`, in the order of `strides`.
        strides: image pixels per output cell.
        anchors: (width, height) in pixels of three boxes for each stride.
        xy_scales: how far box centres may leave their cell, for each stride.
    """

    name: str
    network: Callable[[tf.Tensor, Convolve, Activation], list[tf.Tensor]]
    strides: tuple[int, ...]
    anchors: tuple[tuple[tuple[int, int], ...], ...]
    xy_scales: tuple[float, ...]


def mish(x: tf.Tensor) -> tf.Tensor:
    """Returns x tanh(log(1 + exp(x))) (Misra, 2019)."""
    return x * tf.tanh(tf.nn.softplus(x))


def leaky_relu(x: tf.Tensor) -> tf.Tensor:
    """Returns x, a tenth of it where it is negative."""
    return tf.nn.leaky_relu(x, alpha=0.1)


def _yolov4(image: tf.Tensor, convolve: Convolve, upsample: Activation) -> list[tf.Tensor]:
    fine, middle, coarse = _cross_stage_darknet53(image, convolve)

    def alternate(x: tf.Tensor, num_outputs: int, num_times: int) -> tf.Tensor:
        """Narrows, and widens and narrows again a number of times."""
        for _ in range(num_times):
            x = convolve(x, num_outputs, 1, leaky_relu)
            x = convolve(x, 2 * num_outputs, 3, leaky_relu)
        return convolve(x, num_outputs, 1, leaky_relu)

    def go_up(x: tf.Tensor, side: tf.Tensor, num_outputs: int) -> tf.Tensor:
        """Joins coarse features with finer ones."""
        x = upsample(convolve(x, num_outputs, 1, leaky_relu))
        x = tf.concat([convolve(side, num_outputs, 1, leaky_relu), x], axis=-1)
        return alternate(x, num_outputs, 2)

    def go_down(x: tf.Tensor, side: tf.Tensor, num_outputs: int) -> tf.Tensor:
        """Joins fine features with coarser ones."""
        x = convolve(x, num_outputs, 3, leaky_relu, stride=2)
        return alternate(tf.concat([x, side], axis=-1), num_outputs, 2)

    def detect(x: tf.Tensor) -> tf.Tensor:
        """Computes the output of one scale."""
        return convolve(convolve(x, 2 * x.shape[-1], 3, leaky_relu), _OUTPUT_CHANNELS, 1, None)

    coarse = alternate(coarse, 512, 1)
    pools = [tf.nn.max_pool2d(coarse, size, 1, "SAME") for size in (13, 9, 5)]
    coarse = alternate(tf.concat([*pools, coarse], axis=-1), 512, 1)
    middle = go_up(coarse, middle, 256)
    fine = go_up(middle, fine, 128)
    outputs = [detect(fine)]
    middle = go_down(fine, middle, 256)
    outputs.append(detect(middle))
    return [*outputs, detect(go_down(middle, coarse, 512))]


def _cross_stage_darknet53(
    image: tf.Tensor, convolve: Convolve
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the features of strides 8, 16 and 32."""
    x = convolve(image, 32, 3, mish)
    x = _cross_stage_block(x, 64, 1, convolve, split_channels=64, inner_channels=32)
    stages = []
    for num_outputs, num_residuals in ((128, 2), (256, 8), (512, 8), (1024, 4)):
        half = num_outputs // 2
        x = _cross_stage_block(x, num_outputs, num_residuals, convolve, half, half)
        stages.append(x)
    _, fine, middle, coarse = stages
    return fine, middle, coarse


def _cross_stage_block(
    x: tf.Tensor,
    num_outputs: int,
    num_residuals: int,
    convolve: Convolve,
    split_channels: int,
    inner_channels: int,
) -> tf.Tensor:
    """Halves the resolution; residual blocks see only a part of the channels."""
    x = convolve(x, num_outputs, 3, mish, stride=2)
    side = convolve(x, split_channels, 1, mish)
    x = convolve(x, split_channels, 1, mish)
    for _ in range(num_residuals):
        inner = convolve(x, inner_channels, 1, mish)
        x += convolve(inner, split_channels, 3, mish)
    x = convolve(x, split_channels, 1, mish)
    return convolve(tf.concat([x, side], axis=-1), num_outputs, 1, mish)


def _yolov4_tiny(image: tf.Tensor, convolve: Convolve, upsample: Activation) -> list[tf.Tensor]:
    x = convolve(image, 32, 3, leaky_relu, stride=2)
    x = convolve(x, 64, 3, leaky_relu, stride=2)
    middle = x
    for num_outputs in (64, 128, 256):
        x = convolve(x, num_outputs, 3, leaky_relu)
        half = num_outputs // 2
        first = convolve(x[..., half:], half, 3, leaky_relu)
        second = convolve(first, half, 3, leaky_relu)
        middle = convolve(tf.concat([second, first], axis=-1), num_outputs, 1, leaky_relu)
        x = tf.nn.max_pool2d(tf.concat([x, middle], axis=-1), 2, 2, "SAME")
    coarse = convolve(convolve(x, 512, 3, leaky_relu), 256, 1, leaky_relu)
    x = convolve(coarse, 512, 3, leaky_relu)
    coarse_output = convolve(x, _OUTPUT_CHANNELS, 1, None)
    x = upsample(convolve(coarse, 128, 1, leaky_relu))
    x = convolve(tf.concat([x, middle], axis=-1), 256, 3, leaky_relu)
    return [convolve(x, _OUTPUT_CHANNELS, 1, None), coarse_output]


YOLOV4 = YoloStructure(
    "yolov4",
    _yolov4,
    strides=(8, 16, 32),
    anchors=(
        ((12, 16), (19, 36), (40, 28)),
        ((36, 75), (76, 55), (72, 146)),
        ((142, 110), (192, 243), (459, 401)),
    ),
    xy_scales=(1.2, 1.1, 1.05),
)
YOLOV4_TINY = YoloStructure(
    "yolov4-tiny",
    _yolov4_tiny,
    strides=(16, 32),
    anchors=(((23, 27), (37, 58), (81, 82)), ((81, 82), (135, 169), (344, 319))),
    xy_scales=(1.05, 1.05),
)
