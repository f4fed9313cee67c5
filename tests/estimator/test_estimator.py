from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.contract import prediction_signature
from metrabs.estimator.estimator import PoseEstimator
from metrabs.skeletons.tables import Skeleton
from tests.estimator.fakes import FakeCropModel

NAMES = ["pelv", "lsho", "rsho", "head", "neck"]
EDGES = np.array([[0, 1], [0, 2], [0, 3]], np.int32)
SKELETONS = {"": Skeleton([0, 1, 2, 3, 4], NAMES, [(0, 1)])}


def _crop_model():
    template = np.random.default_rng(0).normal(size=(5, 3)) * 200
    return FakeCropModel(np.array(NAMES), EDGES, template)


@pytest.fixture(scope="module")
def estimator():
    return PoseEstimator(_crop_model(), SKELETONS)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).integers(0, 255, (48, 64, 3), dtype=np.uint8)


def test_box_without_extent_gives_nan_for_this_box_only(estimator, image):
    boxes = np.array([[10, 10, 20, 30], [5, 5, 0, 0]], np.float32)
    poses = estimator.estimate_poses(image, boxes, num_aug=1)["poses3d"].numpy()
    assert np.isfinite(poses[0]).all() and np.isnan(poses[1]).all()
    alone = estimator.estimate_poses(image, boxes[:1], num_aug=1)["poses3d"].numpy()
    np.testing.assert_allclose(poses[:1], alone, atol=0.01)


def test_world_coordinates_follow_the_extrinsic_matrix(estimator, image):
    boxes = np.array([[10, 10, 20, 30]], np.float32)
    camera = estimator.estimate_poses(image, boxes, num_aug=2)
    extrinsics = np.eye(4, dtype=np.float32)
    extrinsics[:3, 3] = [100, 200, -300]
    world = estimator.estimate_poses(image, boxes, extrinsic_matrix=extrinsics, num_aug=2)
    shifted = camera["poses3d"] - np.array([100, 200, -300], np.float32)
    np.testing.assert_allclose(world["poses3d"], shifted, atol=0.05)
    np.testing.assert_allclose(world["poses2d"], camera["poses2d"], atol=0.01)


def test_average_is_the_mean_of_the_views(estimator, image):
    boxes = np.array([[10, 10, 20, 30]], np.float32)
    single = estimator.estimate_poses(image, boxes, num_aug=3, average_aug=False)
    mean = estimator.estimate_poses(image, boxes, num_aug=3)
    for key in ("poses3d", "poses2d"):
        np.testing.assert_allclose(mean[key], np.mean(single[key], axis=1), rtol=1e-5, atol=0.01)


def test_spread_is_the_standard_deviation_of_the_views(estimator, image):
    boxes = np.array([[10, 10, 20, 30], [20, 0, 40, 40]], np.float32)
    single = estimator.estimate_poses(image, boxes, num_aug=3, average_aug=False)
    expected = np.sqrt(np.var(single["poses3d"], axis=1).sum(axis=-1))
    assert expected.shape == (2, 5) and expected.min() > 1
    mean = estimator.estimate_poses(image, boxes, num_aug=3)
    for result in (single, mean):
        np.testing.assert_allclose(result["spread3d"], expected, rtol=1e-3, atol=0.01)
    one_view = estimator.estimate_poses(image, boxes, num_aug=1)
    np.testing.assert_array_equal(one_view["spread3d"], np.zeros([2, 5]))


def test_number_of_views_must_be_positive(estimator, image):
    with pytest.raises(tf.errors.InvalidArgumentError, match="num_aug must be at least 1"):
        estimator.estimate_poses(image, np.zeros([0, 4], np.float32), num_aug=0)


def test_without_detector_no_people_are_found(estimator, image):
    result = estimator.detect_poses_batched(np.stack([image, image]))
    assert result["boxes"].row_lengths().numpy().tolist() == [0, 0]
    assert result["poses3d"].shape.as_list() == [2, None, 5, 3]


def test_a_batch_without_images_gives_a_result_without_rows():
    class NeedsImages(tf.Module):
        @tf.function(input_signature=prediction_signature(batched=True), autograph=False)
        def predict_multi_image(self, images, *settings):
            width = 8 // tf.shape(images)[0]  # as networks that divide by the number of images
            boxes = tf.cast(tf.stack([0, 0, width, width, 1]), tf.float32)
            return tf.RaggedTensor.from_row_lengths(
                boxes[tf.newaxis], tf.one_hot(0, tf.shape(images)[0], dtype=tf.int32)
            )

    estimator = PoseEstimator(_crop_model(), SKELETONS, detector=NeedsImages())
    settings = {"num_aug": 1, "suppress_implausible_poses": False}
    for num_images in (0, 1):
        images = np.zeros([num_images, 48, 64, 3], np.uint8)
        result = estimator.detect_poses_batched(images, **settings)
        assert result["boxes"].row_lengths().numpy().tolist() == [1] * num_images
        assert result["poses3d"].shape.as_list() == [num_images, None, 5, 3]


def test_attributes_name_the_joints(estimator):
    assert [n.decode() for n in estimator.per_skeleton_joint_names[""].numpy()] == NAMES
    assert estimator.per_skeleton_joint_edges[""].numpy().tolist() == [[0, 1]]
    assert estimator.per_skeleton_indices[""].dtype == tf.int32
    assert estimator.joint_names is estimator.crop_model.joint_names


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"bone_lengths_mm": [1.0, 2.0]}, "bone lengths must be an array of shape 3, not 2"),
        ({"joint_transform": np.eye(4)}, "joint transform must be an array of shape 5 x any"),
        ({"crop_dtype": "float32"}, "takes only float16"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        PoseEstimator(_crop_model(), SKELETONS, **arguments)


def test_left_joint_without_right_one_is_refused():
    model = FakeCropModel(np.array(["pelv", "lsho", "head"]), EDGES[:1], np.zeros([3, 3]))
    with pytest.raises(UserError, match="lsho"):
        PoseEstimator(model, {"": Skeleton([0], ["pelv"], [])})
