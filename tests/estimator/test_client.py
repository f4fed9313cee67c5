from __future__ import annotations

import types

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator import signatures
from metrabs.estimator.client import BatchCameras, PredictionSettings, Predictor, same_size_batches
from metrabs.estimator.input_checks import require
from tests.predict.fakes import SKELETON, FakeModel

SETTINGS = PredictionSettings(skeleton="three", num_aug=2, max_detections=4)
IMAGES = [np.full([48, 64, 3], value, np.uint8) for value in (0, 50)]


def test_people_are_returned_per_image():
    model = FakeModel()
    predictor = Predictor(model, SETTINGS)
    nobody, somebody = predictor.predict(IMAGES)
    assert (nobody.num_people, somebody.num_people) == (0, 1)
    assert nobody.poses3d_mm.shape == (0, 3, 3) and nobody.boxes_ltwh_px.shape == (0, 4)
    np.testing.assert_allclose(somebody.poses3d_mm[0, 0], [0, -50, 3000])
    np.testing.assert_allclose(somebody.scores, [0.9])
    assert predictor.skeleton == SKELETON


def test_settings_and_cameras_reach_the_model():
    model = FakeModel()
    cameras = BatchCameras(
        np.diag([500.0, 500, 1])[np.newaxis],
        [[0.1, 0, 0, 0]],
        fov_degrees=40.0,
        world_up=(0.0, 0.0, 1.0),
    )
    Predictor(model, SETTINGS).predict(IMAGES, cameras=cameras)
    call = model.calls[0]
    assert call["intrinsic_matrix"].shape == (1, 3, 3)
    np.testing.assert_array_equal(call["extrinsic_matrix"], [np.eye(4)])
    np.testing.assert_allclose(call["distortion_coeffs"], [[0.1, 0, 0, 0]])
    np.testing.assert_allclose(call["world_up_vector"], [0, 0, 1])
    assert (call["num_aug"], call["max_detections"], call["skeleton"]) == (2, 4, "three")
    assert (call["default_fov_degrees"], call["suppress_implausible_poses"]) == (40, True)
    assert {call[name].dtype for name in cameras.arguments()} == {np.dtype(np.float32)}


def test_defaults_are_those_of_the_exported_functions():
    cameras, settings = BatchCameras(), PredictionSettings()
    np.testing.assert_array_equal(cameras.distortion_coeffs, [signatures.NO_DISTORTION])
    np.testing.assert_array_equal(cameras.extrinsic_matrix, [signatures.IDENTITY_EXTRINSICS])
    assert cameras.world_up == signatures.UP_IS_MINUS_Y
    assert cameras.fov_degrees == signatures.DEFAULT_FOV_DEGREES
    assert settings.num_aug == signatures.DEFAULT_NUM_AUG
    assert settings.internal_batch_size == signatures.DEFAULT_INTERNAL_BATCH_SIZE
    assert settings.detector_threshold == signatures.DEFAULT_DETECTOR_THRESHOLD


def test_unknown_intrinsics_are_left_to_the_model():
    model = FakeModel()
    Predictor(model, SETTINGS).predict(IMAGES)
    assert "intrinsic_matrix" not in model.calls[0]


def test_given_boxes_replace_the_detector():
    model = FakeModel(detector=None)
    predictor = Predictor(model, SETTINGS)
    assert not predictor.has_detector
    boxes = [np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]), np.zeros([0, 4])]
    two, none = predictor.predict(IMAGES, boxes)
    assert (two.num_people, none.num_people) == (2, 0)
    np.testing.assert_allclose(two.boxes_ltwh_px, boxes[0])
    np.testing.assert_allclose(two.scores, [1, 1])
    assert "detector_threshold" not in model.calls[0]


def test_other_models_are_rejected():
    with pytest.raises(UserError, match="export_estimator"):
        Predictor(types.SimpleNamespace(predict_multi=None))
    with pytest.raises(UserError, match="no function detect_poses_batched"):
        Predictor(tf.Module())


def test_unknown_skeleton_lists_the_known_ones():
    with pytest.raises(UserError, match="skeleton 'smpl'. Known: 'three'"):
        Predictor(FakeModel(), PredictionSettings(skeleton="smpl"))


def test_exhausted_memory_is_explained():
    model = FakeModel()

    def fail(*args, **kwargs):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    model.detect_poses_batched = fail
    with pytest.raises(UserError, match="--batch_size"):
        Predictor(model, SETTINGS).predict(IMAGES)


def test_rejection_by_the_model_is_explained_in_one_line():
    model = FakeModel()

    @tf.function
    def fail(*args, **kwargs):
        require(tf.random.uniform([]) > 2, "It must be a shoe, not", "a hat")

    model.detect_poses_batched = fail
    with pytest.raises(UserError) as caught:
        Predictor(model, SETTINGS).predict(IMAGES)
    message = str(caught.value)
    assert message.startswith("Invalid model input") and len(message.splitlines()) == 1
    assert "It must be a shoe, not] [a hat]" in message and "node" not in message


@pytest.mark.parametrize(
    "name", ["num_aug", "antialias_factor", "internal_batch_size", "max_detections"]
)
def test_impossible_numbers_are_rejected(name):
    with pytest.raises(UserError, match=f"'{name}' must be at least"):
        PredictionSettings(**{name: -2})


@pytest.mark.parametrize("name", ["detector_threshold", "detector_nms_iou_threshold"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_thresholds_are_between_0_and_1(name, value):
    with pytest.raises(UserError, match=f"'{name}' must be at least 0 and at most 1"):
        PredictionSettings(**{name: value})


def test_results_do_not_depend_on_settings_for_speed():
    assert (
        PredictionSettings(internal_batch_size=3).result_settings()
        == PredictionSettings().result_settings()
    )
    assert PredictionSettings(num_aug=3).result_settings()["num_aug"] == 3


def test_batches_have_images_of_one_size_and_keep_the_order():
    widths = [4, 4, 4, 6, 4]
    items = [(i, np.zeros([2, width, 3])) for i, width in enumerate(widths)]
    batches = same_size_batches(items, 2, lambda item: item[1])
    assert [[i for i, _ in batch] for batch in batches] == [[0, 1], [2], [3], [4]]
    assert list(same_size_batches([], 2, lambda item: item)) == []
