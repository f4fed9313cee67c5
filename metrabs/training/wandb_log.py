"""Optional logging to Weights & Biases (extra `wandb`)."""

from __future__ import annotations

import pathlib
import types
import uuid
from typing import Any, Optional

import numpy as np

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.files import write_text_atomically

RUN_ID_FILE = "run_id"


def import_wandb() -> types.ModuleType:
    """Imports the package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise UserError(
            "--wandb_project needs the package wandb. Run `pip install 'metrabs[wandb]'`, or "
            "leave the flag out; metrics also go to TensorBoard files."
        ) from error
    return wandb


class WandbLog:
    """The log of a run at Weights & Biases; a resumed run continues it.

    Args:
        project: Name of the project.
        folder: Folder of the run; the file `run_id` in it identifies the log.
        config: Settings to show with the log.

    Raises:
        UserError: the package is not installed, or the service cannot be reached.
    """

    def __init__(self, project: str, folder: pathlib.Path, config: Config) -> None:
        self._wandb: Any = import_wandb()
        try:
            self._run = self._wandb.init(
                project=project,
                id=_run_id(folder),
                name=folder.name,
                dir=str(folder),
                config=config.to_flat_dict(),
                notes=config.run.comment,
                resume="allow",
            )
        except self._wandb.errors.Error as error:
            raise UserError(
                f"Weights & Biases cannot be reached ({error}). Log in by `wandb login`, set "
                "WANDB_MODE=offline, or leave out --wandb_project."
            ) from error

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """Records metrics after some completed steps."""
        self._run.log(metrics, step=step)

    def add_image(self, step: int, name: str, image: np.ndarray) -> None:
        """Records a uint8 image [h, w, 3]."""
        self._run.log({name: self._wandb.Image(image)}, step=step)

    def close(self) -> None:
        """Sends buffered records."""
        self._run.finish()


def open_wandb_log(folder: pathlib.Path, config: Config) -> Optional[WandbLog]:
    """Opens the log if the settings name a project, else returns None."""
    project = config.run.wandb_project
    return WandbLog(project, folder, config) if project else None


def _run_id(folder: pathlib.Path) -> str:
    """Returns the run's ID at Weights & Biases; creates it in the first part of the run."""
    path = folder / RUN_ID_FILE
    if not path.exists():
        write_text_atomically(path, uuid.uuid4().hex)
    return path.read_text().strip()
