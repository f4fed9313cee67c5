from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors import contract
from tests.estimator.fakes import FakeDetector


def _detector(compute):
    module = tf.Module()
    module.predict_multi_image = compute
    return module


def test_detector_that_meets_the_contract_passes():
    boxes = np.array([[1, 2, 3, 4, 0.5]], np.float32)
    contract.check_detector(FakeDetector(boxes, np.array([1])), "fake")


@pytest.mark.parametrize(
    "detector, message",
    [
        (tf.Module(), "'mine' is not a person detector: it has no predict_multi_image"),
        (_detector(lambda images: images), "cannot be called as predict_multi_image"),
        (_detector(lambda images, *_: tf.zeros([2, 3, 5])), r"not a EagerTensor float32 \[2, 3"),
        (_detector(lambda *_: None), "not a NoneType"),
        (_detector(lambda *_: tf.ragged.constant([[[1.0, 2.0]], []], ragged_rank=1,
                                                 inner_shape=(2,))), r"float32 \[2, None, 2\]"),
        (_detector(lambda *_: tf.zeros([1, 0, 5]) + tf.RaggedTensor.from_row_lengths(
            tf.zeros([0, 5]), [0])), "one row per image"),
    ],
)  # fmt: skip
def test_detector_that_does_not_is_refused(detector, message):
    with pytest.raises(UserError, match=message):
        contract.check_detector(detector, "mine")


def test_signatures_differ_in_the_image_only():
    batched = contract.prediction_signature(batched=True)
    single = contract.prediction_signature(batched=False)
    assert batched[1:] == single[1:]
    assert batched[0].shape[1:] == single[0].shape


def test_a_detector_without_description_is_known_by_its_type():
    detector = FakeDetector(np.zeros([0, 5], np.float32), np.array([0]))
    assert contract.describe_detector(detector) == "FakeDetector"
    detector.description = "nobody, fast"
    assert contract.describe_detector(detector) == "nobody, fast"
