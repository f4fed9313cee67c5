"""Properties of the losses, and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.variant_choice import build_variant
from metrabs.models.variants import HybridVariant, RegularizedVariant, SeparateVariant
from metrabs.skeletons import JointInfo
from metrabs.training.loss_terms import Labels2D, Labels3D, PoseLoss
from metrabs.training.losses import RegularizedLoss, build_loss

_NAMES = ["lsho", "rsho", "pelv"]
_STEP = tf.constant(10_000, tf.int64)
_CAMERA = np.array([[1000.0, 0, 128], [0, 1000, 128], [0, 0, 1]], np.float32)


def _loss(**settings: object) -> PoseLoss:
    return build_loss(Config().replace(**settings), SeparateVariant(3), _NAMES, ["lsho", "pelv"])


def _labels3d(coords: np.ndarray, mask: object = None) -> Labels3D:
    mask = np.ones(coords.shape[:2], bool) if mask is None else np.array(mask)
    cameras = np.tile(_CAMERA, (len(coords), 1, 1))
    return Labels3D(tf.constant(coords, tf.float32), tf.constant(mask), tf.constant(cameras))


def _labels2d(coords: np.ndarray, mask: np.ndarray) -> Labels2D:
    cameras = np.tile(_CAMERA, (len(coords), 1, 1))
    return Labels2D(tf.constant(coords, tf.float32), tf.constant(mask), tf.constant(cameras))


def _poses(num: int = 2) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.normal(0, 200, [num, 3, 3]) + [0, 0, 4000]).astype(np.float32)


def _total(loss: PoseLoss, pred: np.ndarray, labels: Labels3D) -> float:
    return float(loss(tf.constant(pred), labels, None, None, _STEP)["loss"])


def test_perfect_prediction_costs_nothing() -> None:
    poses = _poses()
    assert _total(_loss(), poses, _labels3d(poses)) == pytest.approx(0, abs=1e-6)


def test_a_shift_costs_nothing_in_the_relative_term() -> None:
    poses = _poses()
    terms = _loss(absloss_factor=0.0).terms
    shifted = tf.constant(poses + np.array([0, 0, 300], np.float32))
    labels = _labels3d(poses)
    relative = terms.loss3d(shifted, labels, _STEP) - terms._projected(shifted, labels)
    assert float(relative) == pytest.approx(0, abs=1e-6)


def test_absolute_term_starts_after_the_start_step() -> None:
    poses = _poses()
    loss = _loss(absloss_start_step=7, absloss_factor=10.0)
    shifted, labels = tf.constant(poses + np.float32(50)), _labels3d(poses)
    before, at, after = (
        float(loss(shifted, labels, None, None, tf.constant(step, tf.int64))["loss"])
        for step in (0, 7, 8)
    )
    assert before == at
    assert after == pytest.approx(at + 10 * 0.05, rel=1e-4)


def test_depth_errors_of_far_people_count_relative_to_their_depth() -> None:
    terms = _loss(absloss_factor=1.0, absloss_start_step=0).terms
    true = np.array([[[0, 0, 20_000], [0, 0, 20_000], [0, 0, 20_000]]], np.float32)
    pred = tf.constant(true + np.array([0, 0, 600], np.float32))
    # 600 mm at 20 m count as 300 mm; the mean over x, y and z is 100 mm.
    assert float(terms._absolute(pred, _labels3d(true))) == pytest.approx(0.1, rel=1e-5)


def test_invalid_joints_do_not_matter() -> None:
    poses = _poses()
    mask = [[True, True, False], [True, False, True]]
    changed = poses + np.where(mask, 0, 777)[..., np.newaxis].astype(np.float32)
    labels = _labels3d(poses, mask)
    pred = poses + np.random.default_rng(0).normal(0, 30, poses.shape).astype(np.float32)
    pred_changed = pred + (changed - poses)
    # The projected term looks at single joints, the others at valid ones only.
    assert _total(_loss(), pred, labels) == pytest.approx(
        _total(_loss(), pred_changed, labels), rel=1e-5
    )


def test_empty_masks_contribute_zero_with_zero_gradient() -> None:
    poses = _poses()
    labels3d = _labels3d(poses, np.zeros([2, 3], bool))
    labels2d = _labels2d(np.zeros([2, 2, 2]), np.zeros([2, 2], bool))
    pred = tf.constant(poses)
    with tf.GradientTape() as tape:
        tape.watch(pred)
        losses = _loss()(pred, labels3d, pred, labels2d, _STEP)
    assert float(losses["loss"]) == 0
    np.testing.assert_array_equal(tape.gradient(losses["loss"], pred), np.zeros_like(poses))


def test_2d_loss_is_pixels_times_the_size_of_a_pixel() -> None:
    poses = np.array([[[0, 0, 4000], [0, 0, 4000], [0, 100, 4000]]], np.float32)
    # Projections: lsho (128, 128), pelv (128, 153); each label is 8 px to the right of them.
    labels = _labels2d(np.array([[[136, 128], [136, 153]]]), np.ones([1, 2], bool))
    loss = float(_loss().terms.loss2d(tf.constant(poses), labels))
    assert loss == pytest.approx(8 / 2 * 2200 / 256 / 1000, rel=1e-5)


def test_2d_joints_average_all_joints_whose_names_begin_alike() -> None:
    names = ["lwri_a", "lwri_b"]
    loss = build_loss(Config(), SeparateVariant(2), names, ["lwri"])
    poses = np.array([[[0, 0, 4000], [80, 0, 4000]]], np.float32)  # pixels 128 and 148
    labels = _labels2d(np.array([[[138, 128]]]), np.ones([1, 1], bool))
    assert float(loss.terms.loss2d(tf.constant(poses), labels)) == pytest.approx(0, abs=1e-6)


def test_total_weights_the_2d_batch() -> None:
    poses = _poses()
    labels2d = _labels2d(np.full([2, 2, 2], 120.0), np.ones([2, 2], bool))
    losses = _loss(loss2d_factor=0.5)(
        tf.constant(poses), _labels3d(poses + 10), tf.constant(poses), labels2d, _STEP
    )
    expected = losses["loss_3dbatch"] + 0.5 * losses["loss_2dbatch"]
    assert float(losses["loss"]) == pytest.approx(float(expected))


def test_regularisation_vanishes_on_the_manifold_only() -> None:
    # One latent point, the mean: only poses with all joints in one place are reconstructed.
    class Weights:
        w1, w2 = np.full([3, 1], 1 / 3, np.float32), np.ones([1, 3], np.float32)
        joint_names = _NAMES

    variant = RegularizedVariant(3, Weights())
    loss = build_loss(Config(), variant, _NAMES)
    assert isinstance(loss, RegularizedLoss)
    together = np.tile(np.array([0, 0, 4000], np.float32), (2, 3, 1))
    for poses, is_zero in ((together, True), (_poses(), False)):
        losses = loss(tf.constant(poses), _labels3d(poses), None, None, _STEP)
        assert (float(losses["loss_pred_vs_reconstr"]) < 1e-6) == is_zero
        assert float(losses["loss"]) == pytest.approx(
            float(losses["loss_3dbatch"] + losses["loss_pred_vs_reconstr"])
        )


def test_the_teacher_of_latent_points_starts_late_and_learns_nothing_from_them() -> None:
    class Weights:
        w1, w2 = np.full([3, 1], 1 / 3, np.float32), np.ones([1, 3], np.float32)
        joint_names = _NAMES

    settings = dict(teacher_start_step=7, teacher_loss_factor=10.0, absloss_factor=0.0)
    loss = build_loss(Config().replace(**settings), HybridVariant(3, Weights()), _NAMES)
    poses = _poses()
    joints = tf.constant(poses)
    latents = tf.constant(poses.mean(axis=1, keepdims=True) + np.float32([100, 0, 0]))

    def total(step: int) -> tuple[float, float, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(joints)
            points = tf.concat([latents, joints], axis=1)
            losses = loss(points, _labels3d(poses), None, None, tf.constant(step, tf.int64))
        of_latents = losses["loss_latenthead_vs_latents_from_allhead"]
        return float(losses["loss"]), float(of_latents), tape.gradient(losses["loss"], joints)

    (at, _, gradient_at), (after, of_latents, gradient_after) = total(7), total(8)
    assert after == pytest.approx(at + 10 * of_latents, rel=1e-5)
    assert of_latents > 0
    np.testing.assert_allclose(gradient_after, gradient_at, atol=1e-7)


def test_2d_data_without_common_joints_is_an_error() -> None:
    with pytest.raises(UserError, match="None of the 2D joints"):
        build_loss(Config(), SeparateVariant(3), _NAMES, ["tail"])


_CHAIN = JointInfo("neck,head,pelv", "pelv-neck-head")
_CHAIN_POSES = np.array([[[0, 0, 3000], [0, -300, 2900], [50, 500, 3100]]], np.float32)
_CHAIN_PIXELS = np.array([[[128, 128], [128, 30], [140, 250]]], np.float32)


def _loss_of_class(model_class: str) -> PoseLoss:
    config = Config().replace(model_class=model_class)
    variant = build_variant(config.model, _CHAIN, bone_lengths_mm=np.array([500.0, 300.0]))
    return build_loss(config, variant, _CHAIN.names)


def _chain_labels(poses: np.ndarray = _CHAIN_POSES) -> Labels3D:
    return Labels3D(
        tf.constant(poses),
        tf.ones([1, 3], tf.bool),
        tf.constant(_CAMERA[np.newaxis]),
        tf.constant(_CHAIN_PIXELS),
    )


def test_model25d_learns_the_pixels_that_are_seen_and_the_depths_of_the_target() -> None:
    half_box_mm = Config().model.box_size_mm / 2
    depths = _CHAIN_POSES[..., 2:] - _CHAIN_POSES[..., 2:].mean() + half_box_mm
    perfect = np.concatenate([_CHAIN_PIXELS, depths], axis=-1)
    points = tf.constant(np.concatenate([perfect, _CHAIN_POSES], axis=1))
    loss, losses = _loss_of_class("Model25D").losses3d(points, _chain_labels(), tf.constant(0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
    # A universal skeleton has other depths than the person in the image, at the same pixels.
    labels = _chain_labels(1.2 * _CHAIN_POSES)
    _, losses = _loss_of_class("Model25D").losses3d(points, labels, tf.constant(0))
    assert float(losses["loss23d"]) == pytest.approx(0, abs=1e-6) and losses["loss_z"] > 0.01


def test_metro_learns_poses_up_to_a_shift() -> None:
    moved = tf.constant(_CHAIN_POSES + [100, -50, -2000], tf.float32)
    loss, _ = _loss_of_class("Metro").losses3d(moved, _chain_labels(), tf.constant(0))
    assert float(loss) == pytest.approx(0, abs=1e-6)
