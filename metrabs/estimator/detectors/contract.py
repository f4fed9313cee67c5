"""What the estimator expects of a person detector, and the check that an object meets it.

A detector is a `tf.Module` or what `tf.saved_model.load` returns for one. It consists of
TensorFlow operations alone, so that it can be stored inside an export, and offers

    predict_multi_image(images, threshold, nms_iou_threshold, flip_aug, bothflip_aug)

a `tf.function` with the types of `prediction_signature(batched=True)`, called by position. It
returns a RaggedTensor float32 `[N, None, 5]` of (left, top, width, height, score) in pixels of the
images (not clipped to them), people only, best score first, at most 150 per image; images without
people have empty rows. Resizing, flipped views and suppression of duplicates are the detector's.

`predict_single_image(image, ...)`, the same for one image `[H, W, 3]` -> `[n, 5]`, is optional, as
is `description`, a string for the manifest of an export.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from metrabs.errors import UserError

MAX_DETECTIONS = 150
# Of a detector used by itself; the estimator passes its own.
DEFAULT_THRESHOLD = 0.1
DEFAULT_NMS_IOU_THRESHOLD = 0.65

_BOXES_SHAPE = [None, None, 5]
_TRIAL_SHAPE = [2, 48, 64, 3]  # two images without people


def prediction_signature(batched: bool) -> list[tf.TensorSpec]:
    """Returns the argument types of `predict_multi_image` or `predict_single_image`."""
    image_spec = (
        tf.TensorSpec([None, None, None, 3], tf.uint8, name="images")
        if batched
        else tf.TensorSpec([None, None, 3], tf.uint8, name="image")
    )
    return [
        image_spec,
        tf.TensorSpec([], tf.float32, name="threshold"),
        tf.TensorSpec([], tf.float32, name="nms_iou_threshold"),
        tf.TensorSpec([], tf.bool, name="flip_aug"),
        tf.TensorSpec([], tf.bool, name="bothflip_aug"),
    ]


def check_detector(detector: Any, name: str) -> None:
    """Tries a detector on black images and looks at the type of the result.

    Args:
        detector: the object to try.
        name: Name for error messages.

    Raises:
        UserError: it does not meet the contract.
    """
    predict = getattr(detector, "predict_multi_image", None)
    if predict is None:
        raise UserError(f"'{name}' is not a person detector: it has no predict_multi_image.")
    images = tf.zeros(_TRIAL_SHAPE, tf.uint8)
    try:
        boxes = predict(images, tf.constant(1.0), tf.constant(0.7), tf.constant(False),
                        tf.constant(False))  # fmt: skip
    except UserError:
        raise
    except (TypeError, ValueError, tf.errors.OpError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"The detector '{name}' cannot be called as predict_multi_image(images uint8 "
            f"[N, H, W, 3], threshold, nms_iou_threshold, flip_aug, bothflip_aug): {reason}"
        ) from error
    is_right = (
        isinstance(boxes, tf.RaggedTensor)
        and boxes.dtype == tf.float32
        and boxes.ragged_rank == 1
        and boxes.shape.is_compatible_with(_BOXES_SHAPE)
        and boxes.nrows() == _TRIAL_SHAPE[0]
    )
    if not is_right:
        raise UserError(
            f"The detector '{name}' must return one row per image in a RaggedTensor float32 "
            f"{_BOXES_SHAPE} (left, top, width, height, score), not {_describe(boxes)}."
        )


def describe_detector(detector: Any) -> str:
    """Returns a detector's own description, else the name of its type; 'none' for None."""
    if detector is None:
        return "none"
    return getattr(detector, "description", type(detector).__name__)


def _describe(value: Any) -> str:
    if not tf.is_tensor(value):
        return f"a {type(value).__name__}"
    return f"a {type(value).__name__} {value.dtype.name} {value.shape.as_list()}"
