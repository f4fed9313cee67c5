"""The built-in detection network: EfficientDet-Lite2, trained on COCO.

Its weights come with the package (see `data/NOTICE`); of its 90 classes only persons are reported.
"""

from __future__ import annotations

import pathlib
from typing import Optional

import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.person_detector import NetworkInput, PersonDetector
from metrabs.estimator.detectors.tflite_graph import TfliteNetwork
from metrabs.files import PathLike, sha256_of_file

MODEL_PATH = pathlib.Path(__file__).parent / "data" / "efficientdet-lite2.tflite"
MODEL_SHA256 = "6fd32c84ab1eb0f7e7f3a7a20a20d7df1530daa8378728f7c79571096286bd52"
INPUT_SIDE = 448

_BOX_CODES, _PROBABILITIES, _ANCHORS = 0, 1, 2  # positions of the network's outputs
_PERSON_CLASS = 0
_ZERO_POINT, _SCALE = 127.0, 1 / 128


def build_person_detector(
    path: Optional[PathLike] = None, tiles_per_side: int = 1
) -> PersonDetector:
    """Builds the detector from the bundled file, or from a copy of it elsewhere.

    Args:
        path: the .tflite file.
        tiles_per_side: see `PersonDetector`.

    Raises:
        UserError: the file is missing or is not the one that is expected.
    """
    path = pathlib.Path(path or MODEL_PATH)
    if not path.is_file():
        raise UserError(f"The detector file {path} is missing; reinstall the package.")
    digest = sha256_of_file(path)
    if digest != MODEL_SHA256:
        raise UserError(
            f"The detector file {path} has SHA-256 {digest} instead of {MODEL_SHA256}: it is "
            "damaged or another one; reinstall the package."
        )
    return PersonDetector(EfficientDet(TfliteNetwork(path)), tiles_per_side)


class EfficientDet(tf.Module):
    """EfficientDet-Lite2 with its scaling of the input and its decoding of the boxes.

    Args:
        network: has outputs box codes `[B, A, 4]`, class probabilities `[B, A, classes]` and
            constant anchors `[A, 4]`.
    """

    model_name = "efficientdet-lite2"

    def __init__(self, network: TfliteNetwork) -> None:
        super().__init__(name="efficientdet")
        self._network = network
        self.weights = network.weights
        self.anchors = tf.Variable(
            network.constant_outputs[_ANCHORS], dtype=tf.float32, trainable=False, name="anchors"
        )

    def prepare(self, images: tf.Tensor) -> NetworkInput:
        """Resizes uint8 `[N, H, W, 3]` to a longer side of 448 pixels, float32 0..255."""
        size = tf.cast(tf.shape(images)[1:3], tf.float32)
        new_size = tf.maximum(tf.round(size * (INPUT_SIDE / tf.reduce_max(size))), 1.0)
        resized = tf.image.resize(
            images, tf.cast(new_size, tf.int32), method="bilinear", antialias=True
        )
        return NetworkInput(resized, tf.zeros([2]), size / new_size)

    def find_candidates(self, pixels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns corners (top, left, bottom, right) `[N, A, 4]` in `pixels`, scores `[N, A]`."""
        outputs = self._network(pad_to_input(pixels))
        corners = decode_boxes(outputs[_BOX_CODES], self.anchors)
        return corners, outputs[_PROBABILITIES][..., _PERSON_CLASS]


def pad_to_input(images: tf.Tensor) -> tf.Tensor:
    """Normalises images 0..255 and fills up the right and bottom with black, to 448 x 448."""
    normalized = (images - _ZERO_POINT) * _SCALE
    missing = INPUT_SIDE - tf.shape(images)[1:3]
    padded = tf.pad(
        normalized,
        [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]],
        constant_values=-_ZERO_POINT * _SCALE,
    )
    return tf.ensure_shape(padded, [None, INPUT_SIDE, INPUT_SIDE, 3])


def decode_boxes(codes: tf.Tensor, anchors: tf.Tensor) -> tf.Tensor:
    """Turns box codes `[B, A, 4]` into corners (top, left, bottom, right) in input pixels.

    Codes and anchors `[A, 4]` are ordered y, x, height, width; anchors are in units of the input
    side.
    """
    anchor_centers, anchor_sizes = anchors[:, :2], anchors[:, 2:]
    centers = codes[..., :2] * anchor_sizes + anchor_centers
    half_sizes = tf.exp(codes[..., 2:]) * anchor_sizes / 2
    return tf.concat([centers - half_sizes, centers + half_sizes], axis=-1) * INPUT_SIDE
