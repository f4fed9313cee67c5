"""Rebuilding the network of an exported crop model, so that it can be folded."""

from __future__ import annotations

import logging
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config
from metrabs.models.build import build_crop_model
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription
from metrabs.models.inference_model import require_absolute_poses
from metrabs.models.variant_choice import variant_class
from metrabs.models.variants import AutoencoderVariant, BoneLengthVariant, RegularizedVariant

_logger = logging.getLogger(__name__)


def reload_crop_model(
    exported: Any, config: Config, affine_weights: Optional[AffineWeights] = None
) -> Any:
    """Returns a `CropModel` with the weights of an exported one.

    A model that cannot be rebuilt from its settings is returned unchanged, with a warning: it
    works as well, but is slower.

    Args:
        exported: What `tf.saved_model.load` returns for a crop model.
        config: Settings of the model.
        affine_weights: Autoencoder of these settings, for variants that predict with it.

    Raises:
        UserError: its poses are only root-relative.
    """
    cls = variant_class(config.model)
    require_absolute_poses(cls)
    if cls is RegularizedVariant:  # predicts without the autoencoder
        config = config.replace(regularize_to_manifold=False, affine_weights=None)
        cls = variant_class(config.model)
    is_incomplete = issubclass(cls, AutoencoderVariant) and affine_weights is None
    if is_incomplete or issubclass(cls, BoneLengthVariant) or not hasattr(exported, "backbone"):
        _logger.warning("Exporting the crop model unchanged (batch normalisation is not folded).")
        return exported
    description = ModelDescription.of_saved_model(exported, config, affine_weights)
    model = build_crop_model(description.replace(dtype="float32"), pretrained=False)
    if not _copy_and_verify_weights(model, exported):
        _logger.warning("The crop model does not fit its settings; exporting it unchanged.")
        return exported
    return model


def _copy_and_verify_weights(model: CropModel, exported: Any) -> bool:
    """Copies the weights; returns whether they fit and both models predict the same."""
    for part, source in (
        (model.backbone, exported.backbone),
        (model.heatmap_heads, exported.heatmap_heads),
    ):
        weights = [variable.numpy() for variable in source.weights]
        if [w.shape for w in weights] != [w.shape for w in part.get_weights()]:
            return False
        part.set_weights(weights)
    side = model.proc_side
    crops = tf.random.stateless_uniform([1, side, side, 3], seed=[1, 2])
    intrinsics = tf.constant([[[2.0 * side, 0, side / 2], [0, 2.0 * side, side / 2], [0, 0, 1]]])
    expected = exported.predict_multi(tf.cast(crops, tf.float16), intrinsics).numpy()
    actual = model.predict_multi(tf.cast(crops, tf.float16), intrinsics).numpy()
    # Models that were exported on a GPU compute in float16.
    return bool(np.abs(actual - expected).max() <= 0.02 * np.abs(expected).max())
