from __future__ import annotations

import types

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.input_checks import require
from metrabs.predict.cameras import CameraChoice
from metrabs.predict.predictor import Predictor
from metrabs.predict.settings import PredictionSettings
from tests.predict.fakes import SKELETON, FakeModel

SETTINGS = PredictionSettings(skeleton="three", num_aug=2, max_detections=4)
IMAGES = [np.full([48, 64, 3], value, np.uint8) for value in (0, 50)]


def test_people_are_returned_per_image():
    model = FakeModel()
    predictor = Predictor(model, CameraChoice(), SETTINGS)
    nobody, somebody = predictor.predict(IMAGES)
    assert (nobody.num_people, somebody.num_people) == (0, 1)
    assert nobody.poses3d_mm.shape == (0, 3, 3) and nobody.boxes_ltwh_px.shape == (0, 4)
    np.testing.assert_allclose(somebody.poses3d_mm[0, 0], [0, -50, 3000])
    np.testing.assert_allclose(somebody.scores, [0.9])
    assert predictor.skeleton == SKELETON


def test_settings_and_camera_reach_the_model():
    model = FakeModel()
    camera = CameraChoice(
        intrinsic_matrix=np.diag([500.0, 500, 1]), distortion_coeffs=np.array([0.1, 0, 0, 0]),
        extrinsic_matrix=np.eye(4), fov_degrees=40.0, world_up=(0.0, 0.0, 1.0),
    )
    Predictor(model, camera, SETTINGS).predict(IMAGES)
    call = model.calls[0]
    assert call["intrinsic_matrix"].shape == (1, 3, 3)
    assert call["extrinsic_matrix"].shape == (1, 4, 4)
    np.testing.assert_allclose(call["distortion_coeffs"], [[0.1, 0, 0, 0]])
    np.testing.assert_allclose(call["world_up_vector"], [0, 0, 1])
    assert (call["num_aug"], call["max_detections"], call["skeleton"]) == (2, 4, "three")
    assert (call["default_fov_degrees"], call["suppress_implausible_poses"]) == (40, True)


def test_unknown_intrinsics_are_left_to_the_model():
    model = FakeModel()
    Predictor(model, CameraChoice(), SETTINGS).predict(IMAGES)
    assert "intrinsic_matrix" not in model.calls[0]


def test_given_boxes_replace_the_detector():
    model = FakeModel(detector=None)
    predictor = Predictor(model, CameraChoice(), SETTINGS)
    assert not predictor.has_detector
    boxes = [np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), np.zeros([0, 4])]
    two, none = predictor.predict(IMAGES, boxes)
    assert (two.num_people, none.num_people) == (2, 0)
    np.testing.assert_allclose(two.boxes_ltwh_px, boxes[0])
    np.testing.assert_allclose(two.scores, [1, 1])
    assert "detector_threshold" not in model.calls[0]


def test_other_models_are_refused():
    with pytest.raises(UserError, match="export_estimator"):
        Predictor(types.SimpleNamespace(predict_multi=None), CameraChoice())
    with pytest.raises(UserError, match="no function detect_poses_batched"):
        Predictor(tf.Module(), CameraChoice())


def test_unknown_skeleton_lists_the_known_ones():
    with pytest.raises(UserError, match="skeleton 'smpl'. Known: 'three'"):
        Predictor(FakeModel(), CameraChoice(), PredictionSettings(skeleton="smpl"))


def test_exhausted_memory_is_explained():
    model = FakeModel()

    def fail(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    model.detect_poses_batched = fail
    with pytest.raises(UserError, match="--batch_size"):
        Predictor(model, CameraChoice(), SETTINGS).predict(IMAGES)


def test_refusal_by_the_model_is_told_in_one_line():
    model = FakeModel()

    @tf.function
    def fail(*args, **kwargs):
        require(tf.random.uniform([]) > 2, "It must be a shoe, not", "a hat")

    model.detect_poses_batched = fail
    with pytest.raises(UserError) as caught:
        Predictor(model, CameraChoice(), SETTINGS).predict(IMAGES)
    message = str(caught.value)
    assert message.startswith("The model refuses its inputs") and len(message.splitlines()) == 1
    assert "It must be a shoe, not] [a hat]" in message and "node" not in message
