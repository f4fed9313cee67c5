"""Where the model is that a command was given: a checkpoint, or anything the hub resolves."""

from __future__ import annotations

import pathlib

from ckpt_tools.common.stored_variables import find_variables
from metrabs.errors import UserError
from metrabs.hub import resolve


def locate_model(source: str) -> pathlib.Path:
    """Returns the path of a checkpoint or the folder of a SavedModel on this machine.

    Args:
        source: A checkpoint or a folder with checkpoints; otherwise a folder, archive, URL or name
            of a SavedModel, which `metrabs.hub.resolve` downloads or unpacks if needed.

    Raises:
        UserError: there is no such model.
    """
    if _has_variables(source):
        return pathlib.Path(source)
    try:
        return resolve(source)
    except UserError as error:
        raise UserError(
            f"{error} To give a checkpoint, name its folder or a path such as "
            "<run folder>/ckpt-2000."
        ) from error


def _has_variables(source: str) -> bool:
    try:
        find_variables(source)
    except UserError:
        return False
    return True
