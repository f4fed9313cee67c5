"""Depth by bone lengths, and the losses of the older model classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import tensorflow as tf

from metrabs.geometry.reconstruction_25d import depth_by_bone_lengths, reconstruct_by_bone_lengths
from metrabs.models.variant_choice import build_variant
from metrabs.skeletons import JointInfo
from metrabs.training.loss_terms import Labels2D, Labels3D
from metrabs.training.losses import build_loss
from tests.golden.loss_cases import config_of
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_model25d_metro")


def reconstruct(data: Mapping[str, Any], only_inside_fov: bool = True, compiled: bool = False):
    config = config_of(data)

    @tf.function(jit_compile=compiled)
    def function(coords25d, intrinsics):
        return reconstruct_by_bone_lengths(
            coords25d[..., :2],
            coords25d[..., 2],
            intrinsics,
            data["edges"].tolist(),
            data["bone_lengths"],
            proc_side=config.loading.proc_side,
            stride=config.model.stride_train,
            centered_stride=config.model.centered_stride,
            center_is_mean=config.model.mean_relative,
            only_inside_fov=only_inside_fov,
        )

    return function(data["coords25d"], data["intrinsics"])


@pytest.mark.parametrize("compiled", [False, True])
def test_absolute_poses_match_the_original(data, compiled):
    poses = reconstruct(data, compiled=compiled)
    assert_close(poses, data["abs_alone"], rtol=1e-4)
    # All steps that matter are accepted, so that the common damping makes no difference here.
    assert_close(poses, data["abs_batch"], rtol=1e-4)


def test_all_bones_can_count_equally(data):
    poses = reconstruct(data, only_inside_fov=False)
    assert_close(poses, data["abs_batch_notonlyinfov"], rtol=1e-4)


def test_the_depth_of_an_exact_skeleton_is_recovered(data):
    lengths = data["exact_bone_lengths"]
    z = depth_by_bone_lengths(
        data["exact_normalized2d"],
        data["exact_delta_z"],
        data["edges"].tolist(),
        lengths,
        tf.ones_like(lengths),
        tf.fill([len(lengths)], 1500.0),
    )
    assert_close(z, data["exact_z"], rtol=1e-4)
    assert_close(z, data["exact_z_true"], rtol=1e-4)


def test_losses_of_model25d_match_the_original(data):
    loss = loss_of(data, "Model25D")
    losses = loss(
        with_joints(data["loss_coords25d_pred"]),
        labels3d(data),
        with_joints(with_depth(data["loss_coords2d_pred_2d"])),
        labels2d(data),
        tf.constant(0),
    )
    check(losses, data, "loss25d_")


def test_losses_of_metro_match_the_original(data):
    losses = loss_of(data, "Metro")(
        tf.constant(data["metro_coords3d_rel_pred"]),
        labels3d(data),
        with_depth(data["metro_coords2d_pred_2d_xy"]),
        labels2d(data),
        tf.constant(0),
    )
    check(losses, data, "lossmetro_")


def loss_of(data, model_class: str):
    config = config_of(data).replace(model_class=model_class)
    joint_info = JointInfo(data["names3d"].tolist(), data["edges"].tolist())
    variant = build_variant(config.model, joint_info, bone_lengths_mm=data["bone_lengths"])
    # The predictions for 2D labels in the file are already averaged over partners.
    names2d = [f"point{i}" for i in range(data["loss_coords2d_true_2d"].shape[1])]
    return build_loss(config, variant, names2d, names2d)


def labels3d(data) -> Labels3D:
    names = ("coords3d_true", "joint_validity_mask", "intrinsics", "coords2d_true")
    return Labels3D(*(tf.constant(data[f"loss_{name}"]) for name in names))


def labels2d(data) -> Labels2D:
    names = ("coords2d_true_2d", "joint_validity_mask_2d", "intrinsics_2d")
    return Labels2D(*(tf.constant(data[f"loss_{name}"]) for name in names))


def with_depth(coords2d) -> tf.Tensor:
    return tf.concat([coords2d, tf.zeros_like(coords2d[..., :1])], axis=-1)


def with_joints(image_and_depth) -> tf.Tensor:
    """Appends absolute joints, which no loss may use."""
    return tf.concat([image_and_depth, tf.fill(image_and_depth.shape, float("nan"))], axis=1)


def check(losses, data, prefix: str) -> None:
    expected = {k[len(prefix) :]: v for k, v in data.items() if k.startswith(prefix)}
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert_close(losses[name], value, rtol=1e-4)
