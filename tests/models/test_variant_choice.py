from __future__ import annotations

import dataclasses

import pytest

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models import variants
from metrabs.models.variant_choice import build_variant, variant_class
from tests.models.conftest import JOINTS, affine_weights

AFFINE = dict(affine_weights="a.npz")


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, variants.SeparateVariant),
        (dict(merge_joints=True), variants.MergedVariant),
        (dict(**AFFINE, regularize_to_manifold=True), variants.RegularizedVariant),
        (dict(**AFFINE, transform_coords=True), variants.LatentVariant),
        (dict(**AFFINE, predict_all_and_latents=True), variants.HybridVariant),
        (
            dict(**AFFINE, regularize_to_manifold=True, predict_all_and_latents=True),
            variants.HybridVariant,
        ),
        (
            dict(**AFFINE, transform_coords=True, predict_all_and_latents=True),
            variants.LatentVariant,
        ),
    ],
)
def test_settings_select_the_variant(settings, expected):
    config = Config().replace(**settings).model
    assert variant_class(config) is expected
    assert type(build_variant(config, JOINTS, affine_weights())) is expected


@pytest.mark.parametrize(
    "settings, message",
    [
        (AFFINE, "given but not used"),
        (dict(regularize_to_manifold=True), "--regularize_to_manifold needs --affine_weights"),
        (dict(transform_coords=True), "--transform_coords needs --affine_weights"),
        (dict(predict_all_and_latents=True), "needs --affine_weights"),
        (dict(**AFFINE, merge_joints=True, transform_coords=True), "only one of the two"),
    ],
)
def test_contradictory_settings_are_explained(settings, message):
    with pytest.raises(UserError, match=message):
        variant_class(Config().replace(**settings).model)


def test_missing_or_wrong_affine_weights_are_rejected():
    config = Config().replace(**AFFINE, regularize_to_manifold=True).model
    with pytest.raises(UserError, match="none were given"):
        build_variant(config, JOINTS)
    other = affine_weights(joint_names=("pelv", "lsho"))
    with pytest.raises(UserError, match="not the 5 joints"):
        build_variant(config, JOINTS, other)


def test_affine_weights_without_names_are_accepted():
    weights = affine_weights()
    unnamed = dataclasses.replace(
        AffineWeights(weights.w1, weights.w2, tuple(JOINTS.names)), joint_names=None
    )
    config = Config().replace(**AFFINE, transform_coords=True).model
    assert build_variant(config, JOINTS, unnamed).num_latents == 3
