"""Settings, labels and losses in golden files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config, all_settings
from metrabs.settings import value_type
from metrabs.training.loss_terms import Labels2D, Labels3D
from tests.golden.tolerances import assert_close

_TYPES = {field.name: value_type(kind) for _, field, kind in all_settings()}


def config_of(case: Mapping[str, Any]) -> Config:
    """Returns the settings of a case; settings of other variants are left out."""
    settings = {}
    for key, value in case.items():
        name = key[len("setting_") :]
        if key.startswith("setting_") and name in _TYPES:
            settings[name] = _TYPES[name](value)
    # The original normalises the least squares of the reconstruction over the batch.
    return Config().replace(**settings, reconstruction_scale="batch")


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
    """Returns the step numbers for which a case has losses."""
    prefix, suffix = "step", "_loss"
    names = [key for key in case if key.startswith(prefix) and key.endswith(suffix)]
    return sorted({int(name[len(prefix) : -len(suffix)]) for name in names})


def check_losses(
    losses: Mapping[str, tf.Tensor], case: Mapping[str, Any], step: int, rtol: float
) -> None:
    """Compares losses with those of a case after a number of steps; none may be missing."""
    prefix = f"step{step}_"
    expected = {
        key[len(prefix) :]: value for key, value in case.items() if key.startswith(f"{prefix}loss")
    }
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert_close(losses[name], value, rtol=rtol)
