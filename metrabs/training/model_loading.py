"""Loading trained crop models, and describing and initialising those of a run."""

from __future__ import annotations

import dataclasses
import logging
import pathlib
from collections.abc import Sequence
from typing import Optional

import numpy as np
import tensorflow as tf

from metrabs.acae.weights_file import load_affine_weights
from metrabs.backbones.registry import ensure_weights
from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import Pose3DExample
from metrabs.errors import UserError
from metrabs.models.build import build_crop_model
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription, joint_info_of
from metrabs.models.variant_choice import variant_class
from metrabs.models.variants import LatentVariant
from metrabs.skeletons import JointInfo
from metrabs.skeletons.bones import mean_bone_lengths
from metrabs.training.checkpoints import (
    checkpoint_folder,
    find_checkpoint,
    latest_checkpoint,
    resolve_run_path,
    restore_model,
)

_logger = logging.getLogger(__name__)


def source_checkpoint(config: Config) -> pathlib.Path:
    """Returns the checkpoint to predict with or to export: `load_path`, else the run's last one.

    Raises:
        UserError: there is none.
    """
    folder = checkpoint_folder(config)
    if config.run.load_path:
        return find_checkpoint(config.run.load_path, folder)
    latest = latest_checkpoint(folder)
    if latest is None:
        raise UserError(
            f"There is no checkpoint in '{folder}'. Train first, or give the run by --logdir or "
            "the checkpoint by --load_path."
        )
    return latest


def load_crop_model(checkpoint: pathlib.Path, config: Optional[Config] = None) -> CropModel:
    """Builds the model of a checkpoint and restores its weights.

    Args:
        checkpoint: Its path without file endings, next to the description of the model.
        config: Settings to use instead of those of the run.

    Raises:
        UserError: description or checkpoint are missing, damaged or do not fit together.
    """
    description = ModelDescription.read(checkpoint.parent, config)
    config, joint_info = with_supported_dtype(description.config), description.joint_info
    if config.model.model_class == "Model25D" and config.data.bone_length_dataset:
        lengths = typical_bone_lengths(config, joint_info)
        description = dataclasses.replace(description, bone_lengths_mm=lengths)
    description = dataclasses.replace(description, config=config)
    model = build_crop_model(description, pretrained=False)
    restore_model(model, checkpoint)
    return model


def describe_model(
    config: Config, joint_info: JointInfo, resumed: Optional[pathlib.Path]
) -> ModelDescription:
    """Returns the description of the model that a run trains.

    Bone lengths are those that the run began with, unless the settings name a dataset for them.

    Args:
        config: Settings of the run.
        joint_info: Joints of the training data.
        resumed: Checkpoint that the run continues from, if any.

    Raises:
        UserError: a file or dataset cannot be used.
    """
    lengths = None
    if config.model.model_class == "Model25D":
        if resumed is None or config.data.bone_length_dataset:
            lengths = typical_bone_lengths(config, joint_info)
        else:
            lengths = ModelDescription.read(resumed.parent).bone_lengths_mm
    return ModelDescription.for_training(config, joint_info, lengths)


def typical_bone_lengths(config: Config, joint_info: JointInfo) -> np.ndarray:
    """Returns mean bone lengths over the training examples of a dataset.

    Args:
        config: Settings of the run; the dataset is `bone_length_dataset`, else `dataset3d`.
        joint_info: Joints of the model, with its E bones.

    Returns:
        float32 `[E]` in mm, 0 where no example has the bone.

    Raises:
        UserError: the dataset has another skeleton.
    """
    name, split = config.data.bone_length_dataset or config.data.dataset3d, config.data.train_on
    dataset = open_dataset(name, config.run.folders)
    if dataset.joint_info != joint_info:
        raise UserError(
            f"The joints of --bone_length_dataset={name} are not those of the model; choose a "
            "dataset with the same skeleton."
        )
    if split in dataset.bone_lengths_mm:  # measured when the dataset was merged
        return dataset.bone_lengths_mm[split]
    examples = dataset.split(split)
    _logger.info("Measuring the bones of %d examples of %s", len(examples), name)
    poses = (e.world_coords for e in examples if isinstance(e, Pose3DExample))
    return mean_bone_lengths(poses, joint_info)


def check_initial_weights(
    config: Config, resumed: Optional[pathlib.Path], folder: pathlib.Path
) -> None:
    """Checks that the initial weights of a run are available, before anything slow starts.

    Downloads the weights of the backbone if they are needed.

    Args:
        config: Settings of the run.
        resumed: Checkpoint that the run continues from, if any.
        folder: Folder of the run's checkpoints.

    Raises:
        UserError: a download, checkpoint or file that is needed is not available.
    """
    variant_class(config.model)
    if config.model.affine_weights:
        load_affine_weights(config.model.affine_weights, config.run.folders)
    if resumed is not None:
        return
    if config.run.init_path:
        find_checkpoint(config.run.init_path, folder)
    elif config.model.load_backbone_from:
        _find_trained_model(resolve_run_path(config, config.model.load_backbone_from))
    else:
        ensure_weights(config.model.backbone, config.model.backbone_weights)


def needs_pretrained_backbone(config: Config, resumed: Optional[pathlib.Path]) -> bool:
    """Returns whether the backbone starts from `backbone_weights`, not from a trained model."""
    return not (resumed or config.run.init_path or config.model.load_backbone_from)


def with_supported_dtype(config: Config) -> Config:
    """Replaces float16 by float32 where there is no GPU, with a warning.

    Deviation: the original implementation also computes in float16 on CPUs, which is very slow.
    """
    if config.model.dtype == "float16" and not tf.config.list_physical_devices("GPU"):
        _logger.warning("No GPU found: computing in float32 instead of float16.")
        return config.replace(dtype="float32")
    return config


def initialize_from_trained_model(model: CropModel, path: pathlib.Path) -> None:
    """Copies the backbone and the head of a trained model into a new one (for fine-tuning).

    The head's points become the last points of the new head. New heads that only predict latent
    points keep their initial weights.

    Args:
        model: Model to initialise.
        path: An exported crop model (folder with `saved_model.pb`), a checkpoint, or a folder
            with checkpoints.

    Raises:
        UserError: there is no model, or it does not fit.
    """
    path = _find_trained_model(path)
    source = tf.saved_model.load(str(path)) if path.is_dir() else load_crop_model(path)
    names = joint_info_of(source).names
    if names != list(model.joint_info.names):
        raise UserError(
            f"'{path}' predicts {len(names)} joints that are not the "
            f"{model.joint_info.num_joints} joints of this run in the same order. Train on the "
            "same dataset."
        )
    weights = [variable.numpy() for variable in source.backbone.weights]
    own_weights = model.backbone.get_weights()
    if [np.shape(w) for w in weights] != [np.shape(w) for w in own_weights]:
        raise UserError(
            f"The backbone of '{path}' does not fit the backbone '{model.model_config.backbone}' "
            "of this run. Use the same --backbone."
        )
    model.backbone.set_weights(weights)
    if not isinstance(model.variant, LatentVariant):
        _copy_head(model, [variable.numpy() for variable in source.heatmap_heads.weights], path)


def _find_trained_model(path: pathlib.Path) -> pathlib.Path:
    """Returns the folder of a SavedModel, or a checkpoint that has a description next to it."""
    if (path / "saved_model.pb").exists():
        return path
    checkpoint = find_checkpoint(path, pathlib.Path())
    ModelDescription.read(checkpoint.parent)
    return checkpoint


def _copy_head(model: CropModel, weights: Sequence[np.ndarray], path: pathlib.Path) -> None:
    heads = model.heatmap_heads
    kernel, bias = weights
    num_points = len(bias) / heads.num_channels_per_point
    # Only the joints (the last points of any head that has them), or exactly the same points.
    if num_points not in (model.joint_info.num_joints, heads.num_points):
        raise UserError(
            f"The head of '{path}' predicts other points than that of this run's "
            f"{model.variant.name} variant. Start from a model with separate joints, or from one "
            "of the same variant, class and --depth."
        )
    heads.set_last_point_weights(kernel, bias)
