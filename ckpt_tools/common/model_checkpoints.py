"""Checkpoints that contain a crop model alone, without the state of a run."""

from __future__ import annotations

import pathlib

from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription
from metrabs.training.checkpoints import CheckpointManager, find_checkpoint


def locate_checkpoint(path: PathLike) -> pathlib.Path:
    """Returns the checkpoint at a path, which may be relative to the current folder.

    Raises:
        UserError: there is no checkpoint.
    """
    return find_checkpoint(pathlib.Path(path).absolute(), pathlib.Path())


def write_model_checkpoint(
    model: CropModel, description: ModelDescription, folder: PathLike, num_steps: int = 0
) -> pathlib.Path:
    """Writes a crop model with its description as `ckpt-<num_steps>`.

    An interruption leaves no checkpoint that any program would find.

    Args:
        model: The crop model.
        description: What it is built from.
        folder: Folder of the checkpoint; must not contain another one.
        num_steps: Number of steps that the model was trained for, where known.

    Returns:
        The checkpoint's path without file endings.

    Raises:
        UserError: the folder is in use.
    """
    folder = check_empty(folder)
    folder.mkdir(parents=True, exist_ok=True)
    description.write(folder)
    return CheckpointManager(folder, model=model).save(num_steps, keep_forever=True)


def check_empty(folder: PathLike) -> pathlib.Path:
    """Checks that a folder is new, empty, or left by an interrupted call.

    Raises:
        UserError: it contains a checkpoint, or is not a folder.
    """
    path = pathlib.Path(folder)
    if path.exists() and (not path.is_dir() or (path / "checkpoint").exists()):
        raise UserError(f"'{path}' is in use already; choose another --output.")
    return path
