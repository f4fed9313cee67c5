"""Crop models that predict latent points, decoded to all formats by the autoencoder's weights."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config
from metrabs.estimator.estimator import PoseEstimator
from metrabs.models.crop_model import CropModel
from metrabs.skeletons import JointInfo
from metrabs.skeletons.tables import Skeleton
from tests.estimator.fakes import FakeCropModel

NAMES = ["pelv", "lsho", "rsho", "head", "lsho_coco", "rsho_coco", "head_coco"]
SKELETONS = {
    "": Skeleton(list(range(7)), NAMES, []),
    "a": Skeleton([0, 1, 2, 3], NAMES[:4], []),
    "coco": Skeleton([6, 4, 5], ["head", "lsho", "rsho"], []),
}
NUM_LATENTS = 3
IMAGE = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
BOXES = np.array([[10, 5, 20, 40], [30, 10, 20, 30]], np.float32)
EXTRINSICS = np.array([[0, 0, 1, 100], [0, -1, 0, -50], [1, 0, 0, 300], [0, 0, 0, 1]], np.float32)


@pytest.fixture(scope="module")
def weights():
    """Symmetric as those of the autoencoder: latent points and joints have mirror images."""
    rng = np.random.default_rng(0)
    joints, latents = JointInfo(NAMES, []).mirror_mapping, [1, 0, 2]
    w1, w2 = rng.normal(size=(7, NUM_LATENTS)), rng.normal(size=(NUM_LATENTS, 7))
    w1, w2 = w1 + w1[joints][:, latents], w2 + w2[latents][:, joints]
    return AffineWeights(w1 / w1.sum(axis=0), w2 / w2.sum(axis=0), tuple(NAMES))


def _small_backbone(image, training=False):
    return tf.nn.avg_pool2d(image, 32, 32, "VALID")


def test_poses_in_every_format_are_affine_combinations_of_few_points(weights):
    """With the weights that the estimator carries, whatever camera and number of views."""
    config = Config().replace(transform_coords=True, affine_weights="a.npz", proc_side=64)
    tf.keras.utils.set_random_seed(0)
    crop_model = CropModel(
        _small_backbone, JointInfo(NAMES, []), config.model, 64, affine_weights=weights
    )
    crop_model((tf.zeros([1, 64, 64, 3]), tf.eye(3)[tf.newaxis]))
    estimator = PoseEstimator(crop_model, SKELETONS, affine_weights=(weights.w1, weights.w2))
    arguments = {"extrinsic_matrix": EXTRINSICS, "num_aug": 2}
    full = estimator.estimate_poses(IMAGE, BOXES, **arguments)["poses3d"].numpy()
    assert crop_model.heatmap_heads.num_points == NUM_LATENTS
    decoder = estimator.affine_w2.numpy()
    for pose in full:
        latents = np.linalg.lstsq(decoder.T, pose, rcond=None)[0]
        np.testing.assert_allclose(decoder.T @ latents, pose, atol=0.1)
        assert np.std(pose, axis=0).max() > 10  # not just one point, for which this is trivial
    coco = estimator.estimate_poses(IMAGE, BOXES, skeleton="coco", **arguments)["poses3d"]
    np.testing.assert_allclose(coco, full[:, [6, 4, 5]], atol=0.05)


@pytest.mark.slow
def test_points_of_a_crop_model_become_joints_by_the_joint_transform(weights):
    template = np.random.default_rng(2).normal(size=(NUM_LATENTS, 3)) * 300
    points = FakeCropModel(np.array(["l0", "r0", "c0"]), np.array([[0, 1]]), template)
    latent = {"": Skeleton([0, 1, 2], ["l0", "r0", "c0"], [])}
    plain = PoseEstimator(points, latent)
    decoding = PoseEstimator(points, SKELETONS, joint_transform=weights.w2)
    arguments = {"extrinsic_matrix": EXTRINSICS, "num_aug": 2}
    latents = plain.estimate_poses(IMAGE, BOXES, **arguments)["poses3d"].numpy()
    joints = decoding.estimate_poses(IMAGE, BOXES, **arguments)["poses3d"]
    expected = np.einsum("nlc,lj->njc", latents, weights.w2)
    np.testing.assert_allclose(joints, expected, rtol=1e-4, atol=0.1)
