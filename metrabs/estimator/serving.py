"""Signatures of an exported estimator: named, dense tensors for TensorFlow Serving and C++.

Signatures cannot return ragged tensors, so results are padded with zeros to the largest number
of people in an image, and `num_people` says how many there are in each. The Python functions of
the same names return ragged tensors.

Deviation: the original's batched signatures return ragged tensors, which have no names there, so
that they cannot be served.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from metrabs.estimator import signatures as sig
from metrabs.estimator.box_poses import Predictions

_Function = Callable[..., Predictions]

# Shapes where the views are averaged; the number of joints depends on the skeleton.
_SHAPES = {
    "boxes": [None, None, 5],
    "poses3d": [None, None, None, 3],
    "poses2d": [None, None, None, 2],
    "spread3d": [None, None, None],
}


def serving_signatures(estimator: Any) -> dict[str, Any]:
    """Returns the signatures of an estimator by name.

    `detect_poses`, `detect_poses_batched`, `estimate_poses` and `estimate_poses_batched` take all
    arguments of the functions of these names, which are optional except for images and boxes.
    Some runtimes ignore defaults and require all inputs, so others have few: `serving_default`
    (`images` and, without a detector, `boxes`), `serving_with_boxes`,
    `serving_with_boxes_and_intrinsics` and, with a detector, `serving_with_intrinsics`.

    Args:
        estimator: A `PoseEstimator`.
    """
    detect, estimate = _padded_detection(estimator), _padded_estimation(estimator)
    images, intrinsics = sig.image_spec(batched=True), sig.camera_specs(True).intrinsic_matrix
    boxes = sig.padded_boxes_spec()
    batched = sig.estimation_signature(batched=True)
    signatures = {
        "detect_poses": _with_defaults(
            estimator.detect_poses, sig.detection_signature(batched=False), estimator.detect_poses
        ),
        "detect_poses_batched": _with_defaults(
            detect, sig.detection_signature(batched=True), estimator.detect_poses_batched
        ),
        "estimate_poses": _with_defaults(
            estimator.estimate_poses,
            sig.estimation_signature(batched=False),
            estimator.estimate_poses,
        ),
        "estimate_poses_batched": _with_defaults(
            estimate, [batched[0], boxes, *batched[2:]], estimator.estimate_poses_batched
        ),
        "serving_with_boxes": _with_few_inputs(estimate, [images, boxes]),
        "serving_with_boxes_and_intrinsics": _with_few_inputs(
            estimate, [images, boxes, intrinsics]
        ),
    }
    if estimator.detector is None:
        return {**signatures, "serving_default": signatures["serving_with_boxes"]}
    return {
        **signatures,
        "serving_default": _with_few_inputs(detect, [images]),
        "serving_with_intrinsics": _with_few_inputs(detect, [images, intrinsics]),
    }


def pad_people(predictions: Mapping[str, tf.RaggedTensor]) -> dict[str, tf.Tensor]:
    """Converts ragged predictions of N images to dense ones.

    Args:
        predictions: Ragged `[N, None, ...]` tensors with the same rows.

    Returns:
        `[N, M, ...]` for each of them, where M is the largest number of people in an image, with
        zeros behind the last person; and `num_people`, int32 `[N]`.
    """
    rows = next(iter(predictions.values()))
    num_people = tf.cast(rows.row_lengths(), tf.int32)
    is_person = tf.sequence_mask(num_people, tf.maximum(tf.reduce_max(num_people), 0))
    places = tf.where(is_person)
    size = tf.shape(is_person, out_type=tf.int64)
    padded = {
        name: tf.scatter_nd(
            places,
            ragged.values,
            tf.concat([size, tf.shape(ragged.values, out_type=tf.int64)[1:]], axis=0),
        )
        for name, ragged in predictions.items()
    }
    return {**padded, "num_people": num_people}


def _padded_detection(estimator: Any) -> _Function:
    def detect(**arguments: tf.Tensor) -> Predictions:
        return dict(pad_people(estimator.detect_poses_batched(**arguments)))

    return detect


def _padded_estimation(estimator: Any) -> _Function:
    def estimate(boxes: tf.Tensor, **arguments: tf.Tensor) -> Predictions:
        ragged = tf.RaggedTensor.from_tensor(boxes, padding=tf.zeros([4]))
        return dict(pad_people(estimator.estimate_poses_batched(boxes=ragged, **arguments)))

    return estimate


def _with_few_inputs(function: _Function, specs: Sequence[sig.Spec]) -> Any:
    """Returns a signature that requires all its inputs; other arguments have their defaults."""

    def run(**arguments: tf.Tensor) -> Predictions:
        results = function(**arguments)
        for name in results.keys() & _SHAPES:
            results[name] = tf.ensure_shape(results[name], _SHAPES[name])
        return results

    return _signature(run, specs, {})


def _with_defaults(function: _Function, specs: Sequence[sig.Spec], documented: Any) -> Any:
    """Returns a signature whose inputs have the defaults of the documented function."""
    parameters = inspect.signature(documented.python_function).parameters
    defaults = {
        spec.name: tf.constant(parameters[spec.name].default, spec.dtype)
        for spec in specs
        if parameters[spec.name].default is not inspect.Parameter.empty
    }
    return _signature(function, specs, defaults)


def _signature(
    function: _Function, specs: Sequence[sig.Spec], defaults: Mapping[str, tf.Tensor]
) -> Any:
    names = [spec.name for spec in specs]

    def run(*values: tf.Tensor) -> Predictions:
        return function(**dict(zip(names, values)))

    # TensorFlow takes names and defaults of the inputs from here. Defaults must be tensors.
    run.__signature__ = inspect.Signature([  # type: ignore[attr-defined]
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=defaults.get(name, inspect.Parameter.empty),
        )
        for name in names
    ])  # fmt: skip
    return tf.function(run, input_signature=specs, autograph=False)
