"""Checkpoints that hold a crop model alone, without the state of a run."""

from __future__ import annotations

import pathlib
from typing import Optional

import numpy as np

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.models.crop_model import CropModel
from metrabs.training.bone_lengths import bone_lengths_of
from metrabs.training.checkpoints import (
    CheckpointKeeper,
    find_checkpoint,
    read_description,
    write_description,
)
from metrabs.training.model_loading import affine_weights_of


def locate_checkpoint(path: PathLike) -> pathlib.Path:
    """Returns the checkpoint at a path, which may be relative to the current folder.

    Raises:
        UserError: there is none.
    """
    return find_checkpoint(pathlib.Path(path).absolute(), pathlib.Path())


def write_model_checkpoint(
    model: CropModel,
    config: Config,
    folder: PathLike,
    num_steps: int = 0,
    affine_weights: Optional[AffineWeights] = None,
    bone_lengths_mm: Optional[np.ndarray] = None,
) -> pathlib.Path:
    """Writes a crop model with its description as `ckpt-<num_steps>`.

    An interruption leaves no checkpoint that anything would find.

    Args:
        model: the crop model.
        config: its settings.
        folder: where to write; must hold no other checkpoint.
        num_steps: steps that the model was trained for, where known.
        affine_weights: the autoencoder of the settings, if they name one.
        bone_lengths_mm: `[E]`, of Model25D.

    Returns:
        The checkpoint's path without file endings.

    Raises:
        UserError: the folder is in use.
    """
    folder = check_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_description(folder, config, model.joint_info, affine_weights, bone_lengths_mm)
    return CheckpointKeeper(folder, model=model).save(num_steps, keep_forever=True)


def write_variation(
    model: CropModel, config: Config, source: pathlib.Path, folder: PathLike, num_steps: int
) -> pathlib.Path:
    """Writes a model that came out of a checkpoint, with all that belongs to its description.

    Args:
        model: the crop model.
        config: its settings, as read beside the checkpoint `source`, perhaps changed.
        source: the checkpoint it came from.
        folder, num_steps: see `write_model_checkpoint`.

    Raises:
        UserError: the folder is in use.
    """
    _, joint_info = read_description(source.parent)
    return write_model_checkpoint(
        model, config, folder, num_steps, affine_weights_of(config, joint_info),
        bone_lengths_of(config, joint_info, source),
    )


def check_empty(folder: PathLike) -> pathlib.Path:
    """Makes sure that a folder is new, empty, or left by an interrupted call.

    Raises:
        UserError: it holds a checkpoint, or is not a folder.
    """
    path = pathlib.Path(folder)
    if path.exists() and (not path.is_dir() or (path / "checkpoint").exists()):
        raise UserError(f"'{path}' is in use already; choose another --output.")
    return path
