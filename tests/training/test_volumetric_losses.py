"""What the losses of Metro and Model25D look at."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.models.variant_choice import build_variant
from metrabs.skeletons import JointInfo
from metrabs.training.loss_terms import Labels3D, PoseLoss
from metrabs.training.losses import build_loss

_JOINTS = JointInfo("neck,head,pelv", "pelv-neck-head")
_POSES = np.array([[[0, 0, 3000], [0, -300, 2900], [50, 500, 3100]]], np.float32)
_CAMERA = np.array([[[1000, 0, 128], [0, 1000, 128], [0, 0, 1]]], np.float32)
_PIXELS = np.array([[[128, 128], [128, 30], [140, 250]]], np.float32)


def _loss(model_class: str) -> PoseLoss:
    config = Config().replace(model_class=model_class)
    variant = build_variant(config.model, _JOINTS, bone_lengths_mm=np.array([500.0, 300.0]))
    return build_loss(config, variant, _JOINTS.names)


def _labels(poses: np.ndarray = _POSES, pixels: np.ndarray = _PIXELS) -> Labels3D:
    return Labels3D(
        tf.constant(poses), tf.ones([1, 3], tf.bool), tf.constant(_CAMERA), tf.constant(pixels)
    )


def test_model25d_learns_the_pixels_that_are_seen_and_the_depths_of_the_target() -> None:
    half_box_mm = Config().model.box_size_mm / 2
    depths = _POSES[..., 2:] - _POSES[..., 2:].mean() + half_box_mm
    perfect = np.concatenate([_PIXELS, depths], axis=-1)
    points = tf.constant(np.concatenate([perfect, _POSES], axis=1))
    loss, losses = _loss("Model25D").losses3d(points, _labels(), tf.constant(0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
    # A universal skeleton has other depths than the person in the image, at the same pixels.
    _, losses = _loss("Model25D").losses3d(points, _labels(1.2 * _POSES), tf.constant(0))
    assert float(losses["loss23d"]) == pytest.approx(0, abs=1e-6) and losses["loss_z"] > 0.01


def test_metro_learns_poses_up_to_a_shift() -> None:
    moved = tf.constant(_POSES + [100, -50, -2000], tf.float32)
    loss, _ = _loss("Metro").losses3d(moved, _labels(), tf.constant(0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
