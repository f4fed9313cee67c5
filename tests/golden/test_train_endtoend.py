"""Losses and gradients of head, reconstruction and losses together, for stored features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tensorflow as tf

from metrabs.models.crop_model import CropModel
from metrabs.skeletons import JointInfo
from metrabs.training.losses import build_loss
from tests.golden.loss_cases import affine_weights_of, check_losses, config_of, labels_of, steps_of
from tests.golden.tolerances import assert_close
from tests.golden.variant_settings import VARIANT_SETTINGS

# Golden file -> settings of its variant.
FILES = {
    "train_endtoend_separate": VARIANT_SETTINGS["separate"],
    "train_endtoend_regul": VARIANT_SETTINGS["regul"],
    "train_endtoend_latent": VARIANT_SETTINGS["latent"],
    "train_endtoend_hybrid": VARIANT_SETTINGS["hybrid"],
    "train_endtoend_hybrid_sgwhole": {
        **VARIANT_SETTINGS["hybrid"],
        "stop_gradient_whole_latenthead_to_backbone": True,
    },
}
_WEAK_PERSPECTIVE_STEPS = 500


@pytest.mark.parametrize("file", FILES)
def test_losses_and_gradients_match_the_original(
    golden: Callable[[str], Mapping[str, Any]], file: str
) -> None:
    case = golden(file)
    config = config_of(case).replace(**FILES[file])
    model = _model(case, config)
    loss = build_loss(config, model.variant, model.joint_info.names, case["names2d"].tolist())
    labels3d, labels2d = labels_of(case)
    features, features_2d = tf.constant(case["features"]), tf.constant(case["features_2d"])
    conv = model.heatmap_heads.conv
    sources = {
        "features": features,
        "features_2d": features_2d,
        "kernel": conv.kernel,
        "bias": conv.bias,
    }

    @tf.function(jit_compile=True)
    def losses_and_gradients(step: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            tape.watch([features, features_2d])
            _, coords2d, coords3d_rel = model.backbone_and_head(
                tf.concat([features, features_2d], axis=0), training=False
            )
            points = model.reconstruct(
                coords2d,
                coords3d_rel,
                tf.concat([labels3d.intrinsics, labels2d.intrinsics], axis=0),
                weak=step < _WEAK_PERSPECTIVE_STEPS,
            )
            size = len(features)
            losses = loss(points[:size], labels3d, points[size:], labels2d, step)
        return losses, tape.gradient(losses["loss"], sources)

    assert steps_of(case)
    for step in steps_of(case):
        losses, gradients = losses_and_gradients(tf.constant(step, tf.int64))
        check_losses(losses, case, step, rtol=1e-4)
        for name, gradient in gradients.items():
            assert_close(gradient, case[f"step{step}_grad_{name}"], rtol=1e-3)


def _model(case: Mapping[str, Any], config: Any) -> CropModel:
    weights = affine_weights_of(case) if config.model.affine_weights else None
    joint_info = JointInfo(case["names3d"].tolist())
    model = CropModel(
        lambda image, training: image, joint_info, config.model, config.loading.proc_side, weights
    )
    model.heatmap_heads.build(case["features"].shape)
    model.heatmap_heads.conv.set_weights([case["head_kernel"], case["head_bias"]])
    return model
