from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.contract import describe_detector
from metrabs.estimator.detectors.person_detector import PersonDetector
from metrabs.estimator.detectors.registry import DEFAULT_DETECTOR, build_detector
from metrabs.estimator.detectors.yolov4 import STRUCTURES, convolution_shapes
from tests.estimator.detectors.darknet_files import write_weights_file
from tests.estimator.fakes import FakeDetector


def test_none_means_no_detector():
    assert build_detector("none") is None
    assert describe_detector(None) == "none"


def test_the_default_is_named_by_its_own_name():
    assert describe_detector(build_detector(DEFAULT_DETECTOR)) == "efficientdet-lite2"


def test_yolo_is_built_from_the_weights_file_after_the_colon(tmp_path):
    num_values = sum(s.num_values for s in convolution_shapes(STRUCTURES["yolov4-tiny"]))
    path = write_weights_file(tmp_path / "a:b.weights", np.ones(num_values))
    detector = build_detector(f"yolov4-tiny:{path}", tiles_per_side=2)
    assert isinstance(detector, PersonDetector)
    assert describe_detector(detector) == "yolov4-tiny tiles=2"


def test_saved_model_of_a_detector_is_loaded_and_tried(tmp_path):
    boxes = np.array([[1, 2, 3, 4, 0.5]], np.float32)
    tf.saved_model.save(FakeDetector(boxes, np.array([1])), str(tmp_path / "detector"))
    detector = build_detector(str(tmp_path / "detector"))
    image = np.zeros([1, 20, 20, 3], np.uint8)
    found = detector.predict_multi_image(image, 0.1, 0.7, False, False)
    np.testing.assert_allclose(found.values, boxes)
    assert describe_detector(detector) == "savedmodel:detector"
    tf.saved_model.save(tf.Module(), str(tmp_path / "other"))
    with pytest.raises(UserError, match="is not a person detector"):
        build_detector(str(tmp_path / "other"))


@pytest.mark.parametrize(
    "name, tiles_per_side, message",
    [
        ("yolov3", 1, "Unknown detector 'yolov3'. Known: 'efficientdet-lite2'"),
        ("yolov4", 1, "'yolov4' needs a weights file of darknet: 'yolov4:PATH'"),
        ("none", 2, "cannot be given tiles"),
    ],
)
def test_rejects_unknown_detectors(name, tiles_per_side, message):
    with pytest.raises(UserError, match=message):
        build_detector(name, tiles_per_side)
