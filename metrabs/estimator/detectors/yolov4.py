"""YOLOv4 and YOLOv4-tiny from weights files of darknet, which the user provides.

The files `yolov4.weights` and `yolov4-tiny.weights`, trained on COCO, are published with darknet
(https://github.com/AlexeyAB/darknet). The original models bundle YOLOv4; resizing,
padding and decoding are those of its wrapper.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
import tensorflow as tf

from metrabs.errors import UserError, unknown_name_error
from metrabs.estimator.detectors.darknet_weights import ConvolutionShape, read_convolutions
from metrabs.estimator.detectors.packed_weights import PackedWeights
from metrabs.estimator.detectors.person_detector import NetworkInput, PersonDetector
from metrabs.estimator.detectors.yolov4_structures import (
    ANCHORS_PER_SCALE,
    YOLOV4,
    YOLOV4_TINY,
    Activation,
    YoloStructure,
)
from metrabs.estimator.warping import decode_gamma
from metrabs.files import PathLike

STRUCTURES = {structure.name: structure for structure in (YOLOV4, YOLOV4_TINY)}
DEFAULT_INPUT_SIDE = 416

_SIDE_MULTIPLE = 32
_PADDING_VALUE = 0.5
_OBJECT, _PERSON = 4, 5  # channels of an anchor, after x, y, width, height
_DARKNET_EPSILON, _ORIGINAL_EPSILON = 1e-5, 1e-3


def build_yolov4_detector(
    name: str,
    weights_path: PathLike,
    *,
    tiles_per_side: int = 1,
    input_side: int = DEFAULT_INPUT_SIDE,
    like_original: bool = False,
) -> PersonDetector:
    """Builds a detector from a weights file of darknet.

    Args:
        name: 'yolov4' or 'yolov4-tiny'.
        weights_path: the file.
        tiles_per_side: see `PersonDetector`.
        input_side: longer side of the resized images, pixels; a multiple of 32.
        like_original: normalises and upsamples like the original bundled detector.

    Raises:
        UserError: unknown name, unsuitable side, or a file that does not fit the network.
    """
    if name not in STRUCTURES:
        raise unknown_name_error("YOLO network", name, STRUCTURES)
    if input_side <= 0 or input_side % _SIDE_MULTIPLE:
        raise UserError(
            f"The input side {input_side} of {name} must be a positive multiple of "
            f"{_SIDE_MULTIPLE}."
        )
    structure = STRUCTURES[name]
    epsilon = _ORIGINAL_EPSILON if like_original else _DARKNET_EPSILON
    weights = read_convolutions(weights_path, convolution_shapes(structure), epsilon=epsilon)
    upsample = upsample_smoothly if like_original else upsample_by_repetition
    return PersonDetector(Yolo(structure, weights, upsample, input_side), tiles_per_side)


class Yolo(tf.Module):
    """A YOLO network with its scaling of the input and its decoding of the boxes.

    Args:
        structure: Structure of the network.
        weights: kernel and bias of each convolution.
        upsample: doubles the resolution of features.
        input_side: longer side of the resized images, pixels.
    """

    def __init__(
        self,
        structure: YoloStructure,
        weights: list[np.ndarray],
        upsample: Activation,
        input_side: int = DEFAULT_INPUT_SIDE,
    ) -> None:
        super().__init__(name="yolo")
        self.model_name = structure.name
        self._structure = structure
        self._upsample = upsample
        self._input_side = input_side
        self.weights = PackedWeights(weights)

    def prepare(self, images: tf.Tensor) -> NetworkInput:
        """Resizes uint8 `[N, H, W, 3]` in linear light and pads the sides to multiples of 32."""
        size = tf.shape(images)[1:3]
        longer = tf.reduce_max(size)
        new_size = tf.maximum(self._input_side * size // longer, 1)
        linear = decode_gamma(images)
        resized = tf.cond(
            longer < self._input_side,
            lambda: tf.image.resize(linear, new_size, method="bilinear"),
            lambda: tf.image.resize(linear, new_size, method="area"),
        )
        missing = -new_size % _SIDE_MULTIPLE
        before = missing // 2
        paddings = tf.pad(tf.stack([before, missing - before], axis=1), [[1, 1], [0, 0]])
        pixels = tf.pad(resized ** (1 / 2.2), paddings, constant_values=_PADDING_VALUE)
        scale = tf.cast(size, tf.float32) / tf.cast(new_size, tf.float32)
        return NetworkInput(pixels, tf.cast(before, tf.float32), scale)

    def find_candidates(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns corners (top, left, bottom, right) `[N, A, 4]` in `pixels`, scores `[N, A]`."""
        s = self._structure
        outputs = s.network(pixels, _NextConvolution(self.weights.unpack()), self._upsample)
        decoded = [
            decode_people(*scale) for scale in zip(outputs, s.strides, s.anchors, s.xy_scales)
        ]
        corners, scores = zip(*decoded)
        return tf.concat(corners, axis=1), tf.concat(scores, axis=1)


class _NextConvolution:
    """Convolves with one pair of kernel and bias after the other."""

    def __init__(self, weights: list[tf.Tensor]) -> None:
        self._pairs = iter(zip(weights[::2], weights[1::2]))

    def __call__(
        self,
        x: tf.Tensor,
        num_outputs: int,
        kernel_size: int,
        activation: Optional[Activation],
        stride: int = 1,
    ) -> tf.Tensor:
        kernel, bias = next(self._pairs)
        padding = "SAME"
        if stride > 1:  # darknet pads both ends, of which the last row and column are not read
            x, padding = tf.pad(x, [[0, 0], [1, 0], [1, 0], [0, 0]]), "VALID"
        x = tf.nn.bias_add(tf.nn.conv2d(x, kernel, stride, padding), bias)
        return x if activation is None else activation(x)


def convolution_shapes(structure: YoloStructure) -> list[ConvolutionShape]:
    """Returns the shapes of a network's convolutions in the order of its weights file."""
    shapes: list[ConvolutionShape] = []

    def take_note(
        x: tf.Tensor,
        num_outputs: int,
        kernel_size: int,
        activation: Optional[Activation],
        stride: int = 1,
    ) -> tf.Tensor:
        """Convolves nothing, but gives a result of the right shape."""
        shapes.append(
            ConvolutionShape(kernel_size, x.shape[-1], num_outputs, activation is not None)
        )
        batch, height, width, _ = x.shape
        return tf.zeros([batch, height // stride, width // stride, num_outputs])

    structure.network(
        tf.zeros([1, _SIDE_MULTIPLE, _SIDE_MULTIPLE, 3]), take_note, upsample_by_repetition
    )
    return shapes


def upsample_by_repetition(features: tf.Tensor) -> tf.Tensor:
    """Doubles the resolution `[B, h, w, C]` by repeating rows and columns, as darknet does.

    Deviation: the original interpolates (`upsample_smoothly`), which the weights have never seen,
    and adds 1e-3 instead of 1e-5 to the variances of batch normalisation.
    """
    return tf.repeat(tf.repeat(features, 2, axis=1), 2, axis=2)


def upsample_smoothly(features: tf.Tensor) -> tf.Tensor:
    """Doubles the resolution `[B, h, w, C]` by bilinear interpolation."""
    return tf.image.resize(features, 2 * tf.shape(features)[1:3], method="bilinear")


def decode_people(
    output: tf.Tensor, stride: int, anchors: tuple[tuple[int, int], ...], xy_scale: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads boxes and scores of persons off an output.

    Args:
        output: `[B, h, w, 3 * channels]`; for each anchor x, y, width, height, objectness and
            the classes.
        stride: network input pixels per cell.
        anchors: (width, height) in pixels of the three boxes.
        xy_scale: stretches the range of the centre about the middle of its cell.

    Returns:
        Corners (top, left, bottom, right) `[B, h * w * 3, 4]` in pixels, scores `[B, h * w * 3]`.
    """
    height, width = tf.shape(output)[1], tf.shape(output)[2]
    output = tf.reshape(
        output, [-1, height, width, ANCHORS_PER_SCALE, output.shape[-1] // ANCHORS_PER_SCALE]
    )
    cells = tf.stack(tf.meshgrid(tf.range(width), tf.range(height)), axis=-1)
    cells = tf.cast(cells, tf.float32)[:, :, tf.newaxis]
    within_cell = tf.sigmoid(output[..., :2]) * xy_scale - (xy_scale - 1) / 2
    centers = (within_cell + cells) * float(stride)
    half_sizes = tf.exp(output[..., 2:4]) * tf.constant(anchors, tf.float32) / 2
    corners_xy = tf.stack([centers - half_sizes, centers + half_sizes], axis=-2)
    scores = tf.sigmoid(output[..., _OBJECT]) * tf.sigmoid(output[..., _PERSON])
    num_boxes = height * width * ANCHORS_PER_SCALE
    return (
        tf.reshape(corners_xy[..., ::-1], [-1, num_boxes, 4]),
        tf.reshape(scores, [-1, num_boxes]),
    )
