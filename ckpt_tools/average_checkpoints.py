"""Writes a checkpoint with the mean weights of several others of the same model.

    python -m ckpt_tools.average_checkpoints run/ckpt-396000 run/ckpt-398000 run/ckpt-400000 \\
        --output=averaged/
    python -m ckpt_tools.average_checkpoints a/ b/ --weights=1,3 --output=averaged/

The mean of several checkpoints of a run often predicts better than each of them. The result has no
optimizer: predict with it, export it, or start a run from it by --init_path.

Moving statistics of batch normalisation are also averaged (Izmailov et al., 2018, recompute them
instead; for checkpoints of one run that are close to each other it makes no difference worth
the pass over the data).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Optional

import numpy as np

from ckpt_tools.common.model_checkpoints import (
    check_empty,
    locate_checkpoint,
    write_model_checkpoint,
)
from metrabs.command import run_tool
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.models.description import ModelDescription
from metrabs.settings import setting
from metrabs.training.checkpoints import checkpoint_number, restore_model
from metrabs.training.model_loading import load_crop_model

_ALIASES = {"shares": "weights"}


@dataclasses.dataclass(frozen=True)
class AveragingSettings:
    """Settings of the command.

    Attributes:
        checkpoints: Checkpoints, or folders with checkpoints.
    """

    checkpoints: tuple[str, ...] = ()
    output: str = setting(None, "folder of the new checkpoint")
    weights: tuple[float, ...] = setting(
        (), "weight of each checkpoint in the mean, in any unit; default: equal weights"
    )


def average_checkpoints(
    paths: Sequence[PathLike], folder: PathLike, weights: Sequence[float] = ()
) -> str:
    """Writes a checkpoint with the mean weights of others, without optimizer.

    Args:
        paths: Checkpoints of models with the same settings and joints.
        folder: Folder of the new checkpoint; must not contain one yet.
        weights: Weight of each checkpoint in the mean, in any unit; default: equal weights.

    Returns:
        Path of the new checkpoint, numbered as the latest of the given ones.

    Raises:
        UserError: a checkpoint is missing or of another model, or the weights are unusable.
    """
    check_empty(folder)
    checkpoints = [locate_checkpoint(path) for path in paths]
    fractions = _normalized(weights or [1.0] * len(checkpoints), len(checkpoints))
    description = ModelDescription.read(checkpoints[0].parent)
    for other in checkpoints[1:]:
        other_joints = ModelDescription.read(other.parent).joint_info
        if other_joints.names != description.joint_info.names:
            raise UserError(f"'{other}' has other joints than '{checkpoints[0]}'.")
    model = load_crop_model(checkpoints[0])
    variables = model.backbone.weights + model.heatmap_heads.weights
    sums = [fractions[0] * v.numpy().astype(np.float64) for v in variables]
    for checkpoint, fraction in zip(checkpoints[1:], fractions[1:]):
        restore_model(model, checkpoint)
        for total, variable in zip(sums, variables):
            total += fraction * variable.numpy()
    for total, variable in zip(sums, variables):
        variable.assign(total.astype(np.float32))
    num_steps = max(checkpoint_number(checkpoint) for checkpoint in checkpoints)
    return str(write_model_checkpoint(model, description, folder, num_steps))


def _normalized(weights: Sequence[float], num_checkpoints: int) -> list[float]:
    if num_checkpoints < 2:
        raise UserError("Give at least two checkpoints to average.")
    if len(weights) != num_checkpoints or min(weights) < 0 or not 0 < sum(weights) < np.inf:
        raise UserError(
            f"--weights must be {num_checkpoints} numbers, none negative and not all zero."
        )
    return [weight / sum(weights) for weight in weights]


def run(settings: AveragingSettings) -> None:
    """Runs the command."""
    path = average_checkpoints(settings.checkpoints, settings.output, settings.weights)
    print(f"Wrote {path}.")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(
        __doc__, AveragingSettings, run, arguments, positional="checkpoints", aliases=_ALIASES
    )


if __name__ == "__main__":
    sys.exit(main())
