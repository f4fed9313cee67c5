"""Selection of the variant of the crop model by the settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

import numpy as np

from metrabs.config import ModelConfig
from metrabs.errors import UserError
from metrabs.models.variants import (
    AffineMatrices,
    AutoencoderVariant,
    BoneLengthVariant,
    HybridVariant,
    LatentVariant,
    MergedVariant,
    MetroVariant,
    RegularizedVariant,
    SeparateVariant,
    Variant,
)
from metrabs.skeletons import JointInfo

_MODEL_CLASSES: dict[str, type[Variant]] = {"Metro": MetroVariant, "Model25D": BoneLengthVariant}
# In the order of precedence if several settings are on (as in the original).
_AUTOENCODER_VARIANTS: dict[str, type[AutoencoderVariant]] = {
    "transform_coords": LatentVariant,
    "predict_all_and_latents": HybridVariant,
    "regularize_to_manifold": RegularizedVariant,
}


def build_variant(
    config: ModelConfig,
    joint_info: JointInfo,
    affine_weights: Optional[AffineMatrices] = None,
    bone_lengths_mm: Optional[np.ndarray] = None,
) -> Variant:
    """Builds the variant that the settings select.

    Args:
        config: Settings of the model.
        joint_info: Joints that the model predicts.
        affine_weights: Loaded content of the setting `affine_weights`.
        bone_lengths_mm: `[E]`, typical length of each edge of the joints, for Model25D.

    Raises:
        UserError: settings, joints, affine weights and bone lengths do not fit together.
    """
    cls = variant_class(config)
    if cls is MergedVariant:
        return MergedVariant(joint_info.names)
    if cls is BoneLengthVariant:
        lengths = np.zeros(0) if bone_lengths_mm is None else bone_lengths_mm
        return BoneLengthVariant(joint_info, lengths, config.mean_relative)
    if not issubclass(cls, AutoencoderVariant):
        return cls(joint_info.num_joints)
    if affine_weights is None:
        raise UserError(
            f"The {cls.name} variant needs affine weights, and none were given. Train an "
            "autoencoder and pass its file as --affine_weights."
        )
    _check_joint_names(affine_weights, joint_info.names)
    return cls(joint_info.num_joints, affine_weights)


def variant_class(config: ModelConfig) -> type[Variant]:
    """Returns the class of the variant that the settings select.

    Raises:
        UserError: affine weights are unused or missing, or settings contradict each other.
    """
    if config.model_class in _MODEL_CLASSES:
        _check_no_variant_settings(config)
        return _MODEL_CLASSES[config.model_class]
    requested = [name for name in _AUTOENCODER_VARIANTS if getattr(config, name)]
    if requested and not config.affine_weights:
        raise UserError(f"--{requested[0]} needs --affine_weights, which is not given.")
    if config.merge_joints and config.affine_weights:
        raise UserError(
            "--merge_joints and --affine_weights exclude each other: merged joints leave an "
            "autoencoder nothing to do. Give only one of the two."
        )
    if config.affine_weights and not requested:
        raise UserError(
            "--affine_weights is given but not used; add one of "
            f"{', '.join('--' + name for name in reversed(_AUTOENCODER_VARIANTS))}."
        )
    if requested:
        return _AUTOENCODER_VARIANTS[requested[0]]
    return MergedVariant if config.merge_joints else SeparateVariant


def _check_no_variant_settings(config: ModelConfig) -> None:
    # Deviation: the original implementation loads affine weights for Model25D and then fails.
    # Latent points have no bones, and affine combinations of 2.5D points ignore perspective.
    for name in ("affine_weights", "merge_joints", *_AUTOENCODER_VARIANTS):
        if getattr(config, name):
            raise UserError(
                f"--{name} requires --model_class=Metrabs; {config.model_class} cannot use it."
            )


def _check_joint_names(affine_weights: AffineMatrices, joint_names: Sequence[str]) -> None:
    names = affine_weights.joint_names
    if names is not None and list(names) != list(joint_names):
        raise UserError(
            f"The affine weights were trained for {len(names)} joints that "
            f"are not the {len(joint_names)} joints of the model in the same order. Retrain the "
            "autoencoder on predictions of this model."
        )
