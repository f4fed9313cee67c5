"""Reads the loss cases of the golden files: settings, labels, variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config, all_settings
from metrabs.models.variant_choice import build_variant
from metrabs.settings import value_type
from metrabs.skeletons import JointInfo
from metrabs.training.loss_terms import Labels2D, Labels3D, PoseLoss
from metrabs.training.losses import build_loss
from tests.golden.tolerances import assert_close

_PREDICTIONS = ("coords3d_pred_abs", "coords3d_pred_abs2d")
_TYPES = {field.name: value_type(kind) for _, field, kind in all_settings()}


def config_of(case: Mapping[str, Any]) -> Config:
    """Returns the settings of a case; settings of other variants are left out."""
    settings = {}
    for key, value in case.items():
        name = key[len("setting_"):]
        if key.startswith("setting_") and name in _TYPES:
            settings[name] = _TYPES[name](value)
    # The release normalises the least squares of the reconstruction over the batch.
    return Config().replace(**settings, reconstruction_scale="batch")


def loss_of(case: Mapping[str, Any], **settings: Any) -> PoseLoss:
    """Builds the loss of the variant that some settings choose, with the skeletons of a case."""
    names3d, names2d = case["names3d"].tolist(), case["names2d"].tolist()
    config = config_of(case).replace(**settings)
    variant = build_variant(config.model, JointInfo(names3d), affine_weights_of(case))
    return build_loss(config, variant, names3d, names2d)


def affine_weights_of(case: Mapping[str, Any]) -> AffineWeights:
    """Returns the autoencoder of a case."""
    return AffineWeights(case["w1"], case["w2"], tuple(case["names3d"].tolist()))


def labels_of(case: Mapping[str, Any]) -> tuple[Labels3D, Labels2D]:
    """Returns the labels of both batches of a case."""
    labels3d = Labels3D(
        *(tf.constant(case[k]) for k in ("coords3d_true", "joint_validity_mask", "intrinsics"))
    )
    labels2d = Labels2D(
        *(
            tf.constant(case[k])
            for k in ("coords2d_true_2d", "joint_validity_mask_2d", "intrinsics_2d")
        )
    )
    return labels3d, labels2d


def steps_of(case: Mapping[str, Any]) -> list[int]:
    """Returns the step numbers at which a case holds losses."""
    prefix, suffix = "step", "_loss"
    names = [key for key in case if key.startswith(prefix) and key.endswith(suffix)]
    return sorted({int(name[len(prefix):-len(suffix)]) for name in names})


def check_losses(
    losses: Mapping[str, tf.Tensor], case: Mapping[str, Any], step: int, rtol: float
) -> None:
    """Compares losses with those of a case after some steps; all of them must be there."""
    prefix = f"step{step}_"
    expected = {
        key[len(prefix):]: value
        for key, value in case.items()
        if key.startswith(f"{prefix}loss")
    }
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert_close(losses[name], value, rtol=rtol)


def check_losses_of_direct_predictions(
    case: Mapping[str, Any], compiled: bool, **settings: Any
) -> None:
    """Compares all losses, and where given the gradients, for predictions stored in a case.

    Args:
        case: content of a `train_losses_*` file.
        compiled: compile by XLA.
        **settings: settings that choose the variant.
    """
    loss = loss_of(case, **settings)
    labels3d, labels2d = labels_of(case)
    # Latent points, where there are any, come before the joints.
    preds = {
        f"{name}{part}": tf.constant(case[f"{name}{part}"])
        for name in _PREDICTIONS for part in ("_latenthead", "") if f"{name}{part}" in case
    }

    def losses_and_gradients(step: tf.Tensor) -> tuple[dict[str, tf.Tensor], Any]:
        with tf.GradientTape() as tape:
            tape.watch(preds)
            points3d, points2d = (
                tf.concat([preds[k] for k in preds if k in (name, f"{name}_latenthead")], axis=1)
                for name in _PREDICTIONS
            )
            losses = loss(points3d, labels3d, points2d, labels2d, step)
        return losses, tape.gradient(losses["loss"], preds)

    function = tf.function(losses_and_gradients, jit_compile=True) if compiled else (
        losses_and_gradients
    )
    steps = steps_of(case)
    assert steps
    for step in steps:
        losses, gradients = function(tf.constant(step, tf.int64))
        check_losses(losses, case, step, rtol=1e-5)
        for name, gradient in gradients.items():
            if f"step{step}_grad_{name}" in case:
                assert_close(gradient, case[f"step{step}_grad_{name}"], rtol=1e-4)
