from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator import signatures as sig
from metrabs.estimator.input_checks import (
    checked_boxes,
    checked_detection,
    checked_inputs,
    checked_poses,
    require,
)

GOOD = {
    "intrinsic_matrix": np.eye(3)[np.newaxis],
    "distortion_coeffs": np.zeros([1, 5]),
    "extrinsic_matrix": np.eye(4)[np.newaxis],
    "world_up_vector": np.array([0.0, -1, 0]),
    "default_fov_degrees": 55.0,
    "internal_batch_size": 64,
    "antialias_factor": 1,
    "num_aug": 5,
    "average_aug": True,
    "skeleton": "",
}


def _check(images_shape=(2, 4, 4, 3), num_rows=2, **given):
    values = {**GOOD, **given}

    def convert(specs):
        return type(specs)(*(tf.constant(values[spec.name], spec.dtype) for spec in specs))

    @tf.function(autograph=False)
    def run():
        boxes = tf.RaggedTensor.from_row_lengths(tf.zeros([0, 5]), [0] * num_rows)
        return checked_inputs(
            tf.zeros(images_shape, tf.uint8),
            boxes,
            convert(sig.camera_specs(batched=True)),
            convert(sig.option_specs()),
        )

    return run()


def test_valid_inputs_are_returned_unchanged():
    cameras, options = _check(distortion_coeffs=np.arange(24.0).reshape(2, 12))
    assert cameras.distortion_coeffs.numpy().tolist() == np.arange(24.0).reshape(2, 12).tolist()
    assert options.num_aug.numpy() == 5 and options.skeleton.numpy() == b""
    unknown = np.full([1, 3, 3], -1.0)
    assert (_check(intrinsic_matrix=unknown)[0].intrinsic_matrix.numpy() == unknown).all()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"images_shape": (1, 0, 4, 3), "num_rows": 1}, r"must have pixels"),
        ({"num_rows": 3}, r"boxes must have one row per image.*\[3\].*\[2\]"),
        ({"distortion_coeffs": np.zeros([1, 14])}, r"at most 12 coefficients .* \[14\]"),
        ({"distortion_coeffs": np.zeros([3, 4])}, "distortion_coeffs must have one row"),
        ({"intrinsic_matrix": np.zeros([0, 3, 3])}, "intrinsic_matrix must have one row"),
        ({"extrinsic_matrix": np.stack([np.eye(4)] * 3)}, r"extrinsic_matrix must have.*\[3\]"),
        ({"intrinsic_matrix": np.full([1, 3, 3], np.nan)}, "intrinsic_matrix holds NaN"),
        ({"distortion_coeffs": np.array([[0, np.inf]])}, "distortion_coeffs holds NaN or inf"),
        ({"extrinsic_matrix": np.full([1, 4, 4], np.nan)}, "extrinsic_matrix holds NaN"),
        ({"world_up_vector": np.array([0, np.nan, 0])}, "world_up_vector holds NaN"),
        ({"extrinsic_matrix": np.diag([1.0, 1, 1, 0])[np.newaxis]}, "must be invertible"),
        ({"extrinsic_matrix": np.diag([1.0, 1, 1, 2])[np.newaxis]}, "last row 0 0 0 1"),
        (
            {"intrinsic_matrix": np.zeros([1, 3, 3])},
            r"positive focal lengths, or .*\[\[\[0 0 0\]\[0 0 0\]\[0 0 0\]\]\]",
        ),
        ({"intrinsic_matrix": np.diag([500.0, -500, 1])[np.newaxis]}, "positive focal lengths"),
        ({"intrinsic_matrix": [[[9.0, 0, 0], [0, 9, 0], [4, 4, 1]]]}, r"\[0, 0, 1\]\] in pixels"),
        ({"intrinsic_matrix": np.full([2, 3, 3], -1.0)}, "a single matrix of -1 if unknown"),
        ({"world_up_vector": np.zeros(3)}, "world_up_vector must not be zero"),
        ({"default_fov_degrees": 180.0}, r"between 0 and 180 degrees, not.*\[180\]"),
        ({"num_aug": 0}, r"num_aug must be at least 1, not.*\[0\]"),
        ({"antialias_factor": 0}, "antialias_factor must be at least 1"),
    ],
)
def test_bad_inputs_are_explained(given, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        _check(**given)


@pytest.mark.parametrize(
    "threshold, overlap, side, message",
    [
        (np.nan, 0.7, 4, r"detector_threshold must be a number, not.*\[nan\]"),
        (0.3, 1.5, 4, r"detector_nms_iou_threshold must be between 0 and 1, not.*\[1.5\]"),
        (0.3, np.nan, 4, "detector_nms_iou_threshold must be between 0 and 1"),
        (0.3, 0.7, 0, "must have pixels"),
    ],
)
def test_bad_settings_of_the_detector_are_explained(threshold, overlap, side, message):
    @tf.function(autograph=False)
    def run():
        settings = sig.Detection(tf.constant(threshold), tf.constant(overlap), -1, False, True)
        return checked_detection(tf.zeros([1, side, 4, 3], tf.uint8), settings)

    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        run()


def test_valid_boxes_and_those_without_extent_come_back_as_they_are():
    checked = tf.function(checked_boxes, autograph=False)
    boxes = np.array(
        [[5, -5, 0, 9], [70, 50, 400, 500], [900, 900, 0, 0], [-10, 0, 10, 0.01]], np.float32
    )
    images = tf.zeros([1, 60, 80, 3], tf.uint8)
    np.testing.assert_array_equal(checked(images, boxes), boxes)
    assert checked(images, boxes[:0]).shape == [0, 4]


@pytest.mark.parametrize(
    "box, message",
    [
        ([5, 5, 3, -1], r"without negative widths or heights. Given:\].*\[\[5 5 3 -1\]\]"),
        ([np.nan, 0, 5, 5], "must not hold NaN or infinity"),
        ([0, 0, np.inf, 5], "must not hold NaN or infinity"),
        ([-np.inf, 0, 5, 5], "must not hold NaN or infinity"),
        ([0, 0, 1e-6, 1e-6], "longer side of boxes must be at least 0.01"),
        ([0, 0, 1e38, 1e38], "at most 1000000 pixels"),
        ([81, 5, 9, 9], "must overlap their image"),
        ([5, 61, 9, 9], "must overlap their image"),
        ([-10, 5, 9, 9], "must overlap their image"),
        ([1e7, 1e7, 9, 9], "must overlap their image"),
    ],
)
def test_wrong_boxes_are_refused_and_the_first_is_named(box, message):
    boxes = np.array([[1, 2, 30, 40], box, [0, 0, -7, -7]], np.float32)
    checked = tf.function(checked_boxes, autograph=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        checked(tf.zeros([1, 60, 80, 3], tf.uint8), boxes[:2])


def test_poses_that_are_not_numbers_are_refused_unless_their_box_is_empty_or_they_are_dropped():
    checked = tf.function(checked_poses, autograph=False)
    poses = np.zeros([3, 2, 4, 3], np.float32)
    poses[1, 1, 2, 0] = np.nan
    boxes = np.array([[1, 2, 3, 4, 1], [9, 9, 0, 0, 1], [5, 6, 7, 8, 1]], np.float32)
    np.testing.assert_array_equal(checked(poses, boxes, False), poses)
    poses[2, 0, 0, 0] = np.inf
    np.testing.assert_array_equal(checked(poses, boxes, True), poses)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"not finite.*\[\[5 6 7 8 1\]\]"):
        checked(poses, boxes, False)


def test_requirements_store_no_functions_in_the_graph():
    @tf.function(autograph=False)
    def run(x):
        require(x > 0, "x must be positive, not", x)
        return x

    trace = run.get_concrete_function(tf.TensorSpec([], tf.float32))
    assert not trace.graph.as_graph_def().library.function
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"x must be positive, not.*\[-2\]"):
        run(tf.constant(-2.0))
