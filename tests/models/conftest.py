from __future__ import annotations

import types

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.models.crop_model import CropModel
from metrabs.skeletons import JointInfo

JOINTS = JointInfo("pelv,lsho,rsho,lwri,rwri", "pelv-lsho-lwri")
NUM_CHANNELS = 3  # like an image, which the prediction functions insist on


def affine_weights(num_latents=3, joint_names=tuple(JOINTS.names)):
    """Random matrices whose columns sum to one."""
    rng = np.random.default_rng(5)
    w1, w2 = (
        rng.uniform(0, 1, shape).astype(np.float32)
        for shape in ((len(joint_names), num_latents), (num_latents, len(joint_names)))
    )
    return types.SimpleNamespace(
        w1=w1 / w1.sum(axis=0), w2=w2 / w2.sum(axis=0), joint_names=list(joint_names)
    )


def identity_backbone(image, training):
    return image


@pytest.fixture
def make_model():
    """Returns a function that makes a small crop model whose crops are the features."""

    def make(weights=None, **settings):
        tf.keras.utils.set_random_seed(1)
        config = Config().replace(**settings).model
        model = CropModel(identity_backbone, JOINTS, config, 256, weights)
        model.heatmap_heads.build([None, 8, 8, NUM_CHANNELS])
        return model

    return make


@pytest.fixture
def inputs():
    """Three feature maps in place of crops, and cameras with central principal points."""
    crops = np.random.default_rng(3).normal(0, 3, [3, 8, 8, NUM_CHANNELS]).astype(np.float32)
    focal = np.float32([300, 500, 900])
    intrinsics = np.tile(np.float32([[0, 0, 127.5], [0, 0, 127.5], [0, 0, 1]]), [3, 1, 1])
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
    return tf.constant(crops), tf.constant(intrinsics)
