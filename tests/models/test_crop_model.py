from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.crop_model import CropModel
from metrabs.skeletons import JointInfo
from tests.golden.tolerances import assert_close
from tests.models.conftest import JOINTS, affine_weights, identity_backbone


def test_a_call_gives_absolute_joints_in_single_precision(make_model, inputs):
    poses = make_model()(inputs)
    assert poses.shape == (3, 5, 3) and poses.dtype == tf.float32
    assert np.isfinite(poses).all()


def test_a_call_is_backbone_head_and_reconstruction(make_model, inputs):
    model, (crops, intrinsics) = make_model(), inputs
    features, coords2d, coords3d_rel = model.backbone_and_head(crops)
    assert features.shape == (3, 8, 8, 3)
    assert coords2d.shape == (3, 5, 2) and coords3d_rel.shape == (3, 5, 3)
    assert_close(model.reconstruct(coords2d, coords3d_rel, intrinsics), model(inputs))


@pytest.mark.parametrize("weak", [False, True])
def test_perspective_is_chosen_by_setting_or_tensor(make_model, inputs, weak):
    model, (crops, intrinsics) = make_model(), inputs
    _, coords2d, coords3d_rel = model.backbone_and_head(crops)
    by_setting = make_model(weak_perspective=weak)
    by_setting.set_weights(model.get_weights())

    @tf.function(jit_compile=True)
    def reconstruct(is_weak):
        return model.reconstruct(coords2d, coords3d_rel, intrinsics, weak=is_weak)

    assert_close(reconstruct(tf.constant(weak)), by_setting(inputs), rtol=1e-4)


def test_the_mix_of_heads_interpolates(make_model, inputs):
    model, (crops, intrinsics) = make_model(), inputs
    _, coords2d, coords3d_rel = model.backbone_and_head(crops)
    only2d, only3d, between = (
        model.reconstruct(coords2d, coords3d_rel, intrinsics, mix=mix)
        for mix in (0.0, 1.0, tf.fill([3, 1, 1], 0.25))
    )
    assert_close(between, 0.75 * only2d + 0.25 * only3d)


def test_people_do_not_influence_each_other(make_model, inputs):
    model, (crops, intrinsics) = make_model(), inputs
    alone = model((crops[:1], intrinsics[:1]))
    assert_close(model(inputs)[:1], alone, rtol=1e-4)


def test_the_regularized_variant_predicts_like_the_separate_one(make_model, inputs):
    separate = make_model()
    regularized = make_model(
        affine_weights(), affine_weights="some.npz", regularize_to_manifold=True
    )
    regularized.heatmap_heads.set_weights(separate.heatmap_heads.get_weights())
    assert_close(regularized(inputs), separate(inputs))


def test_the_merged_variant_has_a_head_of_different_names_only(inputs):
    joints = JointInfo("lwri,rwri,lwri_a,rwri_a,pelv_a")
    config = Config().replace(merge_joints=True).model
    model = CropModel(identity_backbone, joints, config, 256)
    poses = model(inputs).numpy()
    assert model.heatmap_heads.num_points == 3 and poses.shape == (3, 5, 3)
    np.testing.assert_array_equal(poses[:, :2], poses[:, 2:4])


def test_only_the_hybrid_variant_detaches_its_latent_points(make_model):
    settings = dict(affine_weights="a.npz", stop_gradient_whole_latenthead_to_backbone=True)
    hybrid = make_model(affine_weights(), predict_all_and_latents=True, **settings)
    latent = make_model(affine_weights(), transform_coords=True, **settings)
    assert hybrid.heatmap_heads.num_detached_points == 3
    assert latent.heatmap_heads.num_detached_points == 0


def test_the_prediction_functions_agree_with_a_call(make_model, inputs):
    model, (crops, intrinsics) = make_model(), inputs
    half = tf.cast(crops, tf.float16)
    expected = model((tf.cast(half, tf.float32), intrinsics), training=False)
    assert_close(model.predict_multi(half, intrinsics), expected)
    assert_close(model.predict_multi_float32(crops, intrinsics), model(inputs))


def test_the_descriptive_variables_hold_names_edges_and_resolution(make_model):
    model = make_model()
    assert [name.decode() for name in model.joint_names.numpy()] == JOINTS.names
    np.testing.assert_array_equal(model.joint_edges, JOINTS.edges)
    assert model.joint_edges.dtype == tf.int64
    assert model.input_resolution.numpy() == 256 and model.input_resolution.dtype == tf.int32
    assert not {id(v) for v in model.trainable_variables} & {
        id(model.joint_names),
        id(model.joint_edges),
        id(model.input_resolution),
    }


def test_gradients_reach_the_head_through_the_reconstruction(make_model, inputs):
    model = make_model()
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.abs(model(inputs, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == 2
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in gradients)


def test_a_variant_without_its_affine_weights_is_an_error(make_model):
    with pytest.raises(UserError, match="none were given"):
        make_model(affine_weights="a.npz", regularize_to_manifold=True)
