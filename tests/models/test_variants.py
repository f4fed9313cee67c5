from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models import variants
from metrabs.models.crop_model import CropModel
from metrabs.models.heads import VolumeHeads
from metrabs.models.variant_choice import build_variant, variant_class
from metrabs.skeletons import JointInfo
from metrabs.skeletons.tables import base_name, merged_joint_info
from metrabs.training.prediction import mirror_pose
from tests.golden.tolerances import assert_close
from tests.models.conftest import JOINTS, NUM_CHANNELS, affine_weights, identity_backbone

POSES = tf.constant(np.random.default_rng(0).normal(0, 500, [2, 5, 3]).astype(np.float32))
LATENTS = POSES[:, :3]
TWO_FORMATS = JointInfo("pelv,lwri,rwri,pelv_a,lwri_a,rwri_a,head_a")


def keep_3d(coords2d, coords3d):
    """Stands in for the reconstruction of absolute points."""
    return coords3d


def test_the_separate_variant_predicts_what_it_reconstructs():
    variant = variants.SeparateVariant(5)
    assert variant.num_points == 5 and variant.num_latents == 0
    assert_close(variant.predict(None, POSES, keep_3d), POSES)
    assert_close(variant.split(POSES)["joints"], POSES)


def test_the_regularized_variant_predicts_joints_and_knows_the_autoencoder():
    weights = affine_weights()
    variant = variants.RegularizedVariant(5, weights)
    assert variant.num_points == 5 and variant.num_latents == 3
    assert_close(variant.predict(None, POSES, keep_3d), POSES)
    assert_close(variant.encode(POSES)[1], weights.w1.T @ POSES[1].numpy())
    assert_close(variant.autoencode(POSES), variant.decode(variant.encode(POSES)), rtol=1e-5)


def test_affine_combinations_commute_with_translation():
    variant = variants.RegularizedVariant(5, affine_weights())
    shift = tf.constant([100.0, -50.0, 3000.0])
    assert_close(variant.autoencode(POSES + shift), variant.autoencode(POSES) + shift)


def test_the_latent_variant_decodes_latent_points():
    weights = affine_weights()
    variant = variants.LatentVariant(5, weights)
    assert variant.num_points == variant.num_latents == 3
    assert_close(variant.predict(None, LATENTS, keep_3d)[1], weights.w2.T @ LATENTS[1].numpy())


def test_the_hybrid_variant_predicts_both_and_answers_with_decoded_latent_points():
    variant = variants.HybridVariant(5, affine_weights())
    assert variant.num_points == 8
    predicted = tf.concat([LATENTS, POSES], axis=1)
    parts = variant.split(variant.reconstruct(predicted[..., :2], predicted, keep_3d))
    assert_close(parts["latents"], LATENTS)
    assert_close(parts["joints"], POSES)
    expected = variant.decode(LATENTS)
    assert_close(variant.final_joints(predicted), expected)
    assert_close(variant.predict(predicted[..., :2], predicted, keep_3d), expected)


def test_the_hybrid_variant_reconstructs_its_parts_independently():
    variant = variants.HybridVariant(5, affine_weights())
    predicted = tf.concat([LATENTS, POSES], axis=1)
    centered = variant.reconstruct(
        predicted[..., :2], predicted, lambda _, x: x - tf.reduce_mean(x, axis=1, keepdims=True)
    )
    for part in variant.split(centered).values():
        assert_close(tf.reduce_mean(part, axis=1), np.zeros([2, 3]), atol=1e-3)


@pytest.mark.parametrize("cls", [variants.LatentVariant, variants.HybridVariant])
def test_affine_weights_must_fit(cls):
    with pytest.raises(UserError, match=r"needs \(4, L\)"):
        cls(4, affine_weights())


def test_merged_joints_of_the_same_name_coincide():
    variant = variants.MergedVariant(TWO_FORMATS.names)
    assert variant.point_names == ["pelv", "lwri", "rwri", "head"]
    joints = variant.predict(None, POSES[:, :4], keep_3d).numpy()
    assert joints.shape == (2, 7, 3)
    np.testing.assert_array_equal(joints[:, :3], joints[:, 3:6])
    np.testing.assert_array_equal(joints[:, 6], POSES[:, 3])


def test_merging_commutes_with_mirroring():
    variant = variants.MergedVariant(TWO_FORMATS.names)
    points = JointInfo(variant.point_names)
    of_mirrored = variant.predict(None, mirror_pose(POSES[:, :4], points.mirror_mapping), keep_3d)
    mirrored = mirror_pose(
        variant.predict(None, POSES[:, :4], keep_3d), TWO_FORMATS.mirror_mapping
    )
    assert_close(of_mirrored, mirrored)


def test_the_28_formats_share_159_joint_names():
    names = merged_joint_info("huge8").names
    variant = variants.MergedVariant(names)
    assert variant.num_joints == 555 and variant.num_points == 159
    assert [variant.point_names[i] for i in variant.point_indices] == list(map(base_name, names))
    JointInfo(variant.point_names)  # every left joint has its right counterpart


def test_merging_the_joints_of_a_single_dataset_changes_nothing():
    variant = variants.MergedVariant(["pelv", "lwri", "rwri"])
    assert_close(variant.predict(None, LATENTS, keep_3d), LATENTS)


def test_decoding_far_people_is_exact():
    # To the last bit, so it is no product in single precision, which GPUs may reduce further.
    variant = variants.LatentVariant(5, affine_weights())
    far = LATENTS + tf.constant([0.0, 0.0, 8000.0])
    exact = np.einsum("blc,lj->bjc", far.numpy().astype(np.float64), variant.w2.astype(np.float64))
    decoded = variant.decode(far)
    assert decoded.dtype == tf.float32
    np.testing.assert_array_equal(decoded, exact.astype(np.float32))


BONE_LENGTHS_MM = np.full(len(JOINTS.edges), 400, np.float32)


def model_of_class(model_class, **settings):
    tf.keras.utils.set_random_seed(1)
    config = Config().replace(model_class=model_class, **settings).model
    model = CropModel(identity_backbone, JOINTS, config, 256, bone_lengths_mm=BONE_LENGTHS_MM)
    model.heatmap_heads.build([None, 8, 8, NUM_CHANNELS])
    return model


def test_volume_head_predicts_only_volumes():
    heads = model_of_class("Metro").heatmap_heads
    assert isinstance(heads, VolumeHeads)
    assert heads.conv.filters == 8 * 5
    logits = np.zeros([1, 8, 8, 8, 5], np.float32)
    logits[0, 2, 5, 7, 3] = 100  # y, x, depth, joint
    coords2d, coords3d = heads.decode(tf.constant(logits.reshape(1, 8, 8, 40)))
    assert_close(coords2d[0, 3], [16 + 32 * 5, 16 + 32 * 2])
    assert_close(coords3d[0, 3], [176 * 2200 / 256, 80 * 2200 / 256, 2200])


def test_metro_predictions_do_not_depend_on_the_camera(inputs):
    crops, intrinsics = inputs
    model = model_of_class("Metro")
    poses = model((crops, intrinsics))
    assert_close(poses, model((crops, intrinsics * 2)))
    assert_close(poses, model.backbone_and_head(crops)[2])
    assert not model.variant.is_absolute


def test_model25d_puts_joints_on_their_rays_at_a_depth_that_fits_the_bones(inputs):
    crops, intrinsics = inputs
    model = model_of_class("Model25D")
    _, coords2d, coords3d = model.backbone_and_head(crops)
    poses = model((crops, intrinsics)).numpy()
    pixels = np.einsum("bij,bpj->bpi", intrinsics, poses / poses[..., 2:])[..., :2]
    np.testing.assert_allclose(pixels, coords2d, atol=0.05)
    depths = poses[..., 2] - poses[..., 2].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        depths, coords3d[..., 2] - tf.reduce_mean(coords3d[..., 2], 1, keepdims=True), atol=0.1
    )
    parts = model.variant.split(model.reconstruct(coords2d, coords3d, intrinsics))
    assert_close(parts["image_and_depth"], tf.concat([coords2d, coords3d[..., 2:]], axis=-1))
    assert_close(parts["joints"], poses)


def test_the_prediction_functions_agree_with_a_call(inputs):
    for model_class in ("Metro", "Model25D"):
        model = model_of_class(model_class)
        assert_close(model.predict_multi_float32(*inputs), model(inputs), rtol=1e-4)


def test_model_class_selects_the_variant():
    classes = {"Metro": variants.MetroVariant, "Model25D": variants.BoneLengthVariant}
    for model_class, expected in classes.items():
        assert variant_class(Config().replace(model_class=model_class).model) is expected


@pytest.mark.parametrize(
    "settings", [dict(merge_joints=True), dict(affine_weights="a.npz", transform_coords=True)]
)
@pytest.mark.parametrize("model_class", ["Metro", "Model25D"])
def test_settings_of_another_model_class_are_rejected(model_class, settings):
    config = Config().replace(model_class=model_class, **settings).model
    with pytest.raises(UserError, match=f"{model_class} cannot use it"):
        variant_class(config)


def test_missing_or_wrong_bone_lengths_are_rejected():
    config = Config().replace(model_class="Model25D").model
    for lengths in (None, BONE_LENGTHS_MM[:1], 0 * BONE_LENGTHS_MM):
        with pytest.raises(UserError, match="needs the lengths of its 4 bones"):
            build_variant(config, JOINTS, bone_lengths_mm=lengths)
