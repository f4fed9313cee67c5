"""Losses of each variant and their gradients, for stored predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import tensorflow as tf

from metrabs.models.variant_choice import build_variant
from metrabs.skeletons import JointInfo
from metrabs.training.loss_terms import PoseLoss
from metrabs.training.losses import build_loss
from tests.golden.loss_cases import affine_weights_of, check_losses, config_of, labels_of, steps_of
from tests.golden.tolerances import assert_close
from tests.golden.variant_settings import VARIANT_SETTINGS

# Golden file -> variant.
FILES = {
    "train_losses_separate_default": "separate",
    "train_losses_separate_altflags": "separate",
    "train_losses_regul_default": "regul",
    "train_losses_regul_altflags": "regul",
    "train_losses_latent_default": "latent",
    "train_losses_latent_altflags": "latent",
    "train_losses_hybrid_default": "hybrid",
    "train_losses_hybrid_altflags": "hybrid",
}
_PREDICTIONS = ("coords3d_pred_abs", "coords3d_pred_abs2d")


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("file", FILES)
def test_losses_and_gradients_match_the_original(
    golden: Callable[[str], Mapping[str, Any]], file: str, compiled: bool
) -> None:
    case = golden(file)
    loss = _loss_of(case, VARIANT_SETTINGS[FILES[file]])
    labels3d, labels2d = labels_of(case)
    # Latent points, where there are any, come before the joints.
    preds = {
        f"{name}{part}": tf.constant(case[f"{name}{part}"])
        for name in _PREDICTIONS
        for part in ("_latenthead", "")
        if f"{name}{part}" in case
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

    function = (
        tf.function(losses_and_gradients, jit_compile=True) if compiled else (losses_and_gradients)
    )
    steps = steps_of(case)
    assert steps
    for step in steps:
        losses, gradients = function(tf.constant(step, tf.int64))
        check_losses(losses, case, step, rtol=1e-5)
        for name, gradient in gradients.items():
            if f"step{step}_grad_{name}" in case:
                assert_close(gradient, case[f"step{step}_grad_{name}"], rtol=1e-4)


def _loss_of(case: Mapping[str, Any], settings: Mapping[str, Any]) -> PoseLoss:
    """Builds the loss of the variant that settings choose, for the skeletons of a case."""
    names3d, names2d = case["names3d"].tolist(), case["names2d"].tolist()
    config = config_of(case).replace(**settings)
    variant = build_variant(config.model, JointInfo(names3d), affine_weights_of(case))
    return build_loss(config, variant, names3d, names2d)
