from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrabs.estimator.box_inputs import fill_in_intrinsics, keep_best_boxes, one_per_image


def _boxes(scores):
    rows = [[[i, 0, 1, 1, score] for i, score in enumerate(row)] for row in scores]
    return tf.ragged.constant(rows, ragged_rank=1, inner_shape=(5,), dtype=tf.float32)


def _scores(boxes):
    return [[round(float(box[4]), 3) for box in row] for row in boxes.to_list()]


def test_the_best_boxes_of_every_image_are_kept_in_order_of_score():
    boxes = _boxes([[0.1, 0.9, 0.5], [0.2], [], [0.3, 0.4]])
    kept = keep_best_boxes(boxes, tf.constant(2))
    assert _scores(kept) == [[0.9, 0.5], [0.2], [], [0.4, 0.3]]
    assert kept[0, 0, 0] == 1


def test_minus_one_keeps_all_boxes_as_they_are_and_zero_none():
    boxes = _boxes([[0.1, 0.9, 0.5], [0.2]])
    assert _scores(keep_best_boxes(boxes, tf.constant(-1))) == [[0.1, 0.9, 0.5], [0.2]]
    assert _scores(keep_best_boxes(boxes, tf.constant(0))) == [[], []]


def test_images_without_boxes_are_accepted():
    assert _scores(keep_best_boxes(_boxes([[0.5], []])[1:], tf.constant(3))) == [[]]


def test_single_row_is_repeated():
    images = tf.zeros([3, 4, 4, 3])
    assert one_per_image(tf.constant([[7.0]]), images).numpy().tolist() == [[7]] * 3
    rows = tf.constant([[1.0], [2.0], [3.0]])
    assert one_per_image(rows, images).numpy().tolist() == [[1], [2], [3]]


def test_only_a_single_matrix_of_minus_one_is_replaced():
    unknown = tf.fill([1, 3, 3], -1.0)
    filled = fill_in_intrinsics(unknown, 90.0, tf.constant([100, 200]))
    np.testing.assert_allclose(filled[0], [[100, 0, 100], [0, 100, 50], [0, 0, 1]], atol=1e-3)
    two = tf.fill([2, 3, 3], -1.0)
    assert (fill_in_intrinsics(two, 90.0, tf.constant([100, 200])) == two).numpy().all()
