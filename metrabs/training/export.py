"""Exporting the crop model of a checkpoint as a SavedModel that needs none of this code."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Sequence
from typing import Optional

import tensorflow as tf

from metrabs.config import Config
from metrabs.files import PathLike, atomic_folder, check_is_saved_model_or_free
from metrabs.models.crop_model import CropModel
from metrabs.models.description import CONFIG_FILE
from metrabs.training.model_loading import load_crop_model, source_checkpoint

_logger = logging.getLogger(__name__)


def export_crop_model(config: Config, path: PathLike) -> pathlib.Path:
    """Writes the crop model of a run's checkpoint, without optimizer, as a SavedModel.

    Args:
        config: Settings of the run whose checkpoint is used.
        path: the folder to write, relative to the folder of the checkpoint.

    Returns:
        The folder.

    Raises:
        UserError: there is no checkpoint, or it does not fit the settings.
    """
    checkpoint = source_checkpoint(config)
    folder = checkpoint.parent / path
    check_is_saved_model_or_free(folder)
    model = load_crop_model(checkpoint, config)
    with atomic_folder(folder) as new_folder:
        _write(model, new_folder)
        stored = config.portable().to_json()
        (new_folder / CONFIG_FILE).write_text(stored, encoding="utf-8")
    _logger.info("Exported %s to %s", checkpoint.name, folder)
    return folder


def save_crop_model(
    model: CropModel, folder: PathLike, backbone_weights: Optional[Sequence[tf.Variable]] = None
) -> None:
    """Writes a crop model as a SavedModel.

    The loaded object has `predict_multi`, `predict_multi_float32` (also `serving_default`) and the
    variables `joint_names`, `joint_edges`, `input_resolution`. Its parts `backbone` and
    `heatmap_heads` are callables with a list `weights`. It consists of plain TensorFlow functions
    without Keras, so that any TensorFlow can load it.

    Args:
        model: A built crop model.
        folder: where to write; a SavedModel that is there is replaced.
        backbone_weights: Weights of the backbone in the order in which to list them; default: the
            order of its layers.

    Raises:
        UserError: the folder holds something else.
    """
    check_is_saved_model_or_free(folder)
    with atomic_folder(folder) as new_folder:
        _write(model, new_folder, backbone_weights)


def _write(
    model: CropModel, folder: PathLike, backbone_weights: Optional[Sequence[tf.Variable]] = None
) -> None:
    exported = tf.Module(name="crop_model")
    exported.predict_multi = model.predict_multi
    exported.predict_multi_float32 = model.predict_multi_float32
    exported.joint_names = model.joint_names
    exported.joint_edges = model.joint_edges
    exported.input_resolution = model.input_resolution
    exported.backbone = _Part(model.backbone, 3, backbone_weights)
    exported.heatmap_heads = _Part(model.heatmap_heads, model.backbone.output_shape[-1])
    tf.saved_model.save(
        exported,
        str(folder),
        signatures={"serving_default": model.predict_multi_float32},
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=True),
    )


class _Part(tf.Module):
    """A layer at test time, as a function of float32 maps `[B, H, W, C]`, and its weights."""

    def __init__(
        self,
        layer: tf.keras.layers.Layer,
        num_input_channels: int,
        weights: Optional[Sequence[tf.Variable]] = None,
    ) -> None:
        super().__init__()
        self.weights = layer.weights if weights is None else list(weights)
        signature = [tf.TensorSpec([None, None, None, num_input_channels], tf.float32)]
        self.__call__ = tf.function(lambda x: layer(x, training=False), input_signature=signature)
