"""Checkpoints of a run: weights, optimizer and step, next to the description of the model.

`ckpt-N` holds the state after N completed steps. A file `ckpt-N.keep` protects a checkpoint from
being replaced by newer ones.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any, Optional, Union

import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.files import PathLike, write_text_atomically
from metrabs.models.crop_model import CropModel
from metrabs.models.description import CONFIG_FILE, ModelDescription
from metrabs.resumable import settings_changes
from metrabs.skeletons import JointInfo

_NUM_KEPT = 2
_RESTORE_ERRORS = (AssertionError, ValueError, tf.errors.OpError)
# Settings that change the variables of the model or the meaning of its outputs.
_IDENTITY_SETTINGS = (
    "backbone",
    "depth",
    "box_size_mm",
    "proc_side",
    "centered_stride",
    "transform_coords",
    "predict_all_and_latents",
    "merge_joints",
    "model_class",
)


class CheckpointManager:
    """Saves the state of a run; keeps the last two checkpoints and protected ones.

    Saving is atomic: a checkpoint is valid while TensorFlow's `checkpoint` file lists it. It is
    added after its data are complete, and removed before they are overwritten.

    Args:
        folder: Folder of the checkpoints; created by the first save.
        is_writer: False for all but one of several processes that train together. They take
            part in saving, since some values are means over all of them, but do not write.
        **objects: Parts of the state, such as `model=..., optimizer=..., step=...`.
    """

    def __init__(self, folder: pathlib.Path, is_writer: bool = True, **objects: Any) -> None:
        self.folder = folder
        self._is_writer = is_writer
        self._checkpoint = tf.train.Checkpoint(**objects)
        self._last_name = ""

    def save(self, num_completed_steps: int, keep_forever: bool = False) -> pathlib.Path:
        """Writes `ckpt-N`, then removes older ones that are not protected.

        Args:
            num_completed_steps: N. The state must not change between two saves with the same N;
                the second one can only add the protection.
            keep_forever: Whether to protect this checkpoint.

        Returns:
            The checkpoint's path without file endings.
        """
        name = f"ckpt-{num_completed_steps}"
        if name != self._last_name:
            self._write(name)
            self._last_name = name
        if self._is_writer:
            if keep_forever:
                (self.folder / f"{name}.keep").touch()
            self._keep_recent(name)
        return self.folder / name

    def restore(self, path: pathlib.Path) -> None:
        """Restores the whole state.

        Raises:
            UserError: the checkpoint is damaged or belongs to another kind of run.
        """
        _restore(self._checkpoint, path)

    def _write(self, name: str) -> None:
        if not self._is_writer:
            with tempfile.TemporaryDirectory() as nowhere:
                self._checkpoint.write(os.path.join(nowhere, name))
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob("ckpt-*_temp"):  # left by a save that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        history = self._history()
        others = [old for old in history if old != name]
        if others and others != history:  # an earlier part of the run saved the same step
            self._record(others)
        self._checkpoint.write(str(self.folder / name))

    def _keep_recent(self, name: str) -> None:
        """Records a new checkpoint as the latest and removes outdated ones."""
        history = [old for old in self._history() if old != name] + [name]
        rolling = [old for old in history if not (self.folder / f"{old}.keep").exists()]
        outdated = [old for old in rolling[:-_NUM_KEPT] if old != name]
        self._record([old for old in history if old not in outdated])
        for old in outdated:
            for file in self.folder.glob(f"{old}.*"):
                file.unlink()

    def _record(self, names: Sequence[str]) -> None:
        """Writes TensorFlow's record of the checkpoints of a folder; the last one is the latest.

        `tf.train.CheckpointManager` does the same, but cannot protect single checkpoints.
        """
        lines = [f'model_checkpoint_path: "{names[-1]}"']
        lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
        write_text_atomically(self.folder / "checkpoint", "\n".join(lines) + "\n")

    def _history(self) -> list[str]:
        """Returns the names of the existing checkpoints in the order of saving."""
        state = tf.train.get_checkpoint_state(str(self.folder))
        names = [pathlib.Path(p).name for p in state.all_model_checkpoint_paths] if state else []
        return [name for name in names if (self.folder / f"{name}.index").exists()]


def resolve_run_path(config: Config, path: str) -> pathlib.Path:
    """Returns an absolute path; relative ones start at `experiments` in the run's data root."""
    return config.run.folders.experiment_path(path)


def run_folder(config: Config) -> pathlib.Path:
    """Returns the folder of a run's logs."""
    return resolve_run_path(config, config.run.logdir)


def checkpoint_folder(config: Config) -> pathlib.Path:
    """Returns the folder of a run's checkpoints."""
    return resolve_run_path(config, config.run.checkpoint_dir or config.run.logdir)


def latest_checkpoint(folder: PathLike) -> Optional[pathlib.Path]:
    """Returns the last saved checkpoint of a folder, None if there is none."""
    latest = tf.train.latest_checkpoint(str(folder))
    return pathlib.Path(latest) if latest else None


def find_checkpoint(path: PathLike, base: pathlib.Path) -> pathlib.Path:
    """Finds the checkpoint that a setting names.

    Args:
        path: Checkpoint, with or without the ending `.index`, or folder, which means its last
            checkpoint; relative to `base`.
        base: Folder of the run's checkpoints.

    Raises:
        UserError: there is no checkpoint.
    """
    found = base / re.sub(r"\.(index|meta)$", "", str(path))
    if found.is_dir():
        latest = latest_checkpoint(found)
        if latest is not None:
            return latest
    if not found.with_name(f"{found.name}.index").exists():
        raise UserError(
            f"There is no checkpoint at '{found}'. Give a path such as <run folder>/ckpt-2000, "
            "or a folder with checkpoints."
        )
    return found


def checkpoint_number(path: PathLike) -> int:
    """Returns N of `ckpt-N`.

    Raises:
        UserError: the name has another form.
    """
    match = re.fullmatch(r"ckpt-(\d+)", pathlib.Path(path).name)
    if match is None:
        raise UserError(f"'{path}' is not named ckpt-<number of steps>; cannot resume from it.")
    return int(match.group(1))


def check_same_run(folder: pathlib.Path, config: Config, joint_info: JointInfo) -> None:
    """Checks that a run may continue in a folder that may hold an earlier part of it.

    Raises:
        UserError: the earlier part had another model.
    """
    if not (folder / CONFIG_FILE).exists() or latest_checkpoint(folder) is None:
        return
    earlier = ModelDescription.read(folder)
    old, new = earlier.config.to_flat_dict(), config.to_flat_dict()
    differences = settings_changes(
        {name: old[name] for name in _IDENTITY_SETTINGS},
        {name: new[name] for name in _IDENTITY_SETTINGS},
    )
    if list(earlier.joint_info.names) != list(joint_info.names):
        differences.append(
            f"the model had {earlier.joint_info.num_joints} joints of '{old['dataset3d']}', now "
            f"{joint_info.num_joints} of '{new['dataset3d']}'"
        )
    if differences:
        raise UserError(
            f"'{folder}' holds a run with other settings: {'; '.join(differences)}. "
            "Choose another --logdir."
        )


def restore_model(model: CropModel, path: Union[str, pathlib.Path]) -> None:
    """Restores the weights of a crop model from a checkpoint of a run.

    Raises:
        UserError: the checkpoint is damaged or belongs to another model.
    """
    _restore(tf.train.Checkpoint(model=model), pathlib.Path(path))


def _restore(checkpoint: tf.train.Checkpoint, path: pathlib.Path) -> None:
    try:
        status = checkpoint.read(str(path))
        status.expect_partial().assert_existing_objects_matched()
    except _RESTORE_ERRORS as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"Checkpoint '{path}' cannot be restored: it is damaged or belongs to another model "
            f"({reason})."
        ) from error
