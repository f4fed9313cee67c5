"""The four functions as users call them: loaded from a SavedModel."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.client import BatchCameras, PredictionSettings, Predictor
from metrabs.estimator.estimator import PoseEstimator
from metrabs.skeletons.tables import Skeleton
from tests.estimator.fakes import FakeCropModel, FakeDetector

NAMES = ["pelv", "lsho", "rsho", "head", "neck"]
SKELETONS = {
    "": Skeleton([0, 1, 2, 3, 4], NAMES, [(0, 1)]),
    "two": Skeleton([4, 0], ["neck", "pelv"], [(0, 1)]),
}
BOXES = np.array([[10, 5, 20, 40], [30, 10, 20, 30]], np.float32)
IMAGE = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    template = np.random.default_rng(0).normal(size=(5, 3)) * 200
    crop_model = FakeCropModel(np.array(NAMES), np.array([[0, 1], [0, 2], [0, 3]]), template)
    table = np.concatenate([BOXES, [[0.9], [0.4]]], axis=1)
    detector = FakeDetector(table, np.array([2]))
    path = str(tmp_path_factory.mktemp("estimator"))
    tf.saved_model.save(PoseEstimator(crop_model, SKELETONS, detector=detector), path)
    return tf.saved_model.load(path)


def test_results_have_the_published_names_and_shapes(model):
    detected = model.detect_poses(IMAGE, num_aug=2, suppress_implausible_poses=False)
    shapes = {key: value.shape.as_list() for key, value in detected.items()}
    assert shapes == {
        "boxes": [2, 5], "poses3d": [2, 5, 3], "poses2d": [2, 5, 2], "spread3d": [2, 5],
    }  # fmt: skip
    ragged = tf.RaggedTensor.from_row_lengths(BOXES, [2, 0])
    images = np.stack([IMAGE, IMAGE])
    estimated = model.estimate_poses_batched(
        images, ragged, num_aug=2, average_aug=False, skeleton="two"
    )
    assert sorted(estimated) == ["poses2d", "poses3d", "spread3d"]
    for value in estimated.values():
        assert value.row_lengths().numpy().tolist() == [2, 0] and value.ragged_rank == 1
    assert estimated["poses3d"].values.shape == [2, 2, 2, 3]
    assert estimated["spread3d"].values.shape == [2, 2]


def test_results_without_people_have_the_right_shapes(model):
    none = model.detect_poses(IMAGE, detector_threshold=1.5, num_aug=3, average_aug=False)
    shapes = {key: value.shape.as_list() for key, value in none.items()}
    assert shapes == {
        "boxes": [0, 5], "poses3d": [0, 3, 5, 3], "poses2d": [0, 3, 5, 2], "spread3d": [0, 5],
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"skeleton": "smpl"}, r"Unknown skeleton .*smpl.*Known: the empty name, two"),
        ({"intrinsic_matrix": np.full([3, 3], np.nan)}, "intrinsic_matrix holds NaN"),
        ({"distortion_coeffs": np.zeros(14)}, "at most 12 coefficients"),
        ({"extrinsic_matrix": np.zeros([4, 4])}, "extrinsic_matrix must be invertible"),
        ({"num_aug": 0}, "num_aug must be at least 1"),
    ],
)
def test_saved_model_explains_invalid_inputs(model, arguments, message):
    for result in (
        lambda: model.estimate_poses(IMAGE, BOXES, **arguments),
        lambda: model.detect_poses(IMAGE, **arguments),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            result()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"boxes": BOXES + np.float32([9999, 0, 0, 0])}, "boxes must overlap their image"),
        ({"boxes": np.full([1, 4], np.nan)}, "boxes must not hold NaN"),
        ({"intrinsic_matrix": np.diag([1e30, 1e30, 1])}, "Poses are not finite"),
        ({"intrinsic_matrix": np.diag([1e-20, 1e-20, 1])}, "Poses are not finite"),
    ],
)
def test_no_poses_that_are_not_numbers_are_returned(model, arguments, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        model.estimate_poses(**{"image": IMAGE, "boxes": BOXES, "num_aug": 2, **arguments})


def test_a_box_without_extent_has_a_pose_of_nan_and_leaves_the_others_alone(model):
    boxes = np.array([BOXES[0], [10, 10, 0, 0], BOXES[1]], np.float32)
    poses = model.estimate_poses(IMAGE, boxes, num_aug=2)["poses3d"].numpy()
    assert np.isnan(poses[1]).all()
    expected = model.estimate_poses(IMAGE, BOXES, num_aug=2)["poses3d"]
    np.testing.assert_allclose(poses[[0, 2]], expected, rtol=1e-5)


def test_numbers_of_rows_must_agree(model):
    images = np.stack([IMAGE] * 3)
    ragged = tf.RaggedTensor.from_row_lengths(BOXES, [1, 1])
    with pytest.raises(tf.errors.InvalidArgumentError, match="boxes must have one row per image"):
        model.estimate_poses_batched(images, ragged)
    with pytest.raises(tf.errors.InvalidArgumentError, match="intrinsic_matrix must have one row"):
        model.detect_poses_batched(images, intrinsic_matrix=np.stack([np.eye(3)] * 2))


def test_the_client_returns_what_the_functions_return(model):
    settings = PredictionSettings(num_aug=2, suppress_implausible_poses=False)
    predictor = Predictor(model, settings)
    assert predictor.skeleton.names == NAMES
    people = predictor.predict([IMAGE, IMAGE])[1]
    expected = model.detect_poses(IMAGE, num_aug=2, suppress_implausible_poses=False)
    np.testing.assert_allclose(people.poses3d_mm, expected["poses3d"], rtol=1e-5)
    np.testing.assert_allclose(people.scores, expected["boxes"][:, 4])
    intrinsics = np.stack([np.diag([f, f, 1.0]) for f in (90, 120)])
    results = predictor.predict([IMAGE, IMAGE], [BOXES, BOXES[:1]], BatchCameras(intrinsics))
    for result, boxes, matrix in zip(results, (BOXES, BOXES[:1]), intrinsics):
        expected = model.estimate_poses(IMAGE, boxes, matrix.astype(np.float32), num_aug=2)
        np.testing.assert_allclose(result.poses3d_mm, expected["poses3d"], rtol=1e-4)
        np.testing.assert_allclose(result.poses2d_px, expected["poses2d"], rtol=1e-4)


def test_the_client_explains_invalid_inputs(model):
    cameras = BatchCameras(distortion_coeffs=np.zeros([1, 14]))
    with pytest.raises(UserError, match="Invalid model input: .*at most 12 coefficients"):
        Predictor(model).predict([IMAGE], cameras=cameras)
