"""Names, order, types and defaults of the arguments of the four exported functions (original).

Users call these functions by position and by keyword, so the order is part of the interface: the
images, boxes where they are given, then `Cameras`, `Options` and, to detect people, `Detection`.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Union

import tensorflow as tf

# -1 everywhere: unknown, then the intrinsics follow from the field of view.
UNKNOWN_INTRINSICS = ((-1.0, -1.0, -1.0),) * 3
NO_DISTORTION = (0.0, 0.0, 0.0, 0.0, 0.0)
IDENTITY_EXTRINSICS = (
    (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0),
)  # fmt: skip
UP_IS_MINUS_Y = (0.0, -1.0, 0.0)
DEFAULT_FOV_DEGREES = 55.0
DEFAULT_INTERNAL_BATCH_SIZE = 64
DEFAULT_NUM_AUG = 5
DEFAULT_DETECTOR_THRESHOLD = 0.3
DEFAULT_DETECTOR_NMS_IOU_THRESHOLD = 0.7

Spec = Union[tf.TensorSpec, tf.RaggedTensorSpec]


class Cameras(NamedTuple):
    """Cameras of N images; the arguments of the functions of the same names.

    Attributes:
        intrinsic_matrix: `[N or 1, 3, 3]`.
        distortion_coeffs: `[N or 1, n]`.
        extrinsic_matrix: `[N or 1, 4, 4]`.
        world_up_vector: `[3]`.
        default_fov_degrees: scalar.
    """

    intrinsic_matrix: Any
    distortion_coeffs: Any
    extrinsic_matrix: Any
    world_up_vector: Any
    default_fov_degrees: Any

    def of_one_image(self) -> Cameras:
        """Adds the axis of images."""
        return self._replace(
            intrinsic_matrix=self.intrinsic_matrix[tf.newaxis],
            distortion_coeffs=self.distortion_coeffs[tf.newaxis],
            extrinsic_matrix=self.extrinsic_matrix[tf.newaxis],
        )


class Options(NamedTuple):
    """How poses are estimated; scalars, the arguments of the functions of the same names."""

    internal_batch_size: Any
    antialias_factor: Any
    num_aug: Any
    average_aug: Any
    skeleton: Any


class Detection(NamedTuple):
    """How people are detected; scalars, the arguments of the functions of the same names."""

    detector_threshold: Any
    detector_nms_iou_threshold: Any
    max_detections: Any
    detector_flip_aug: Any
    suppress_implausible_poses: Any


def detection_signature(batched: bool) -> list[Spec]:
    """Returns the argument types of `detect_poses` or `detect_poses_batched`."""
    return [image_spec(batched), *camera_specs(batched), *option_specs(), *_detection_specs()]


def estimation_signature(batched: bool) -> list[Spec]:
    """Returns the argument types of `estimate_poses` or `estimate_poses_batched`."""
    boxes = boxes_spec(4) if batched else tf.TensorSpec([None, 4], tf.float32, name="boxes")
    return [image_spec(batched), boxes, *camera_specs(batched), *option_specs()]


def image_spec(batched: bool) -> tf.TensorSpec:
    """Returns the type of `images` or `image`."""
    name = "images" if batched else "image"
    return tf.TensorSpec([*_batch_axis(batched), None, None, 3], tf.uint8, name=name)


def boxes_spec(num_columns: int) -> tf.RaggedTensorSpec:
    """Returns the type of boxes in a batch of images, with 4 columns or with a score."""
    return tf.RaggedTensorSpec([None, None, num_columns], tf.float32, ragged_rank=1)


def padded_boxes_spec() -> tf.TensorSpec:
    """Returns the type of boxes in a batch of images where ragged tensors cannot be passed."""
    return tf.TensorSpec([None, None, 4], tf.float32, name="boxes")


def camera_specs(batched: bool) -> Cameras:
    """Returns the types of the cameras."""
    batch = _batch_axis(batched)
    return Cameras(
        tf.TensorSpec([*batch, 3, 3], tf.float32, name="intrinsic_matrix"),
        tf.TensorSpec([*batch, None], tf.float32, name="distortion_coeffs"),
        tf.TensorSpec([*batch, 4, 4], tf.float32, name="extrinsic_matrix"),
        tf.TensorSpec([3], tf.float32, name="world_up_vector"),
        tf.TensorSpec([], tf.float32, name="default_fov_degrees"),
    )


def option_specs() -> Options:
    """Returns the types of the options."""
    return Options(
        tf.TensorSpec([], tf.int32, name="internal_batch_size"),
        tf.TensorSpec([], tf.int32, name="antialias_factor"),
        tf.TensorSpec([], tf.int32, name="num_aug"),
        tf.TensorSpec([], tf.bool, name="average_aug"),
        tf.TensorSpec([], tf.string, name="skeleton"),
    )


def _detection_specs() -> Detection:
    return Detection(
        tf.TensorSpec([], tf.float32, name="detector_threshold"),
        tf.TensorSpec([], tf.float32, name="detector_nms_iou_threshold"),
        tf.TensorSpec([], tf.int32, name="max_detections"),
        tf.TensorSpec([], tf.bool, name="detector_flip_aug"),
        tf.TensorSpec([], tf.bool, name="suppress_implausible_poses"),
    )


def _batch_axis(batched: bool) -> list[None]:
    return [None] if batched else []
