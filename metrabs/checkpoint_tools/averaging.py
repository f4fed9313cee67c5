"""Averaging the weights of several checkpoints of a run, which often predicts better than each.

Moving statistics of batch normalisation are averaged, too (Izmailov et al., 2018, recompute them
instead; for checkpoints of one run that are close to each other it makes no difference worth
the pass over the data).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ckpt_tools.common.model_checkpoints import (
    check_empty,
    locate_checkpoint,
    write_variation,
)
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.training.checkpoints import checkpoint_number, read_description, restore_model
from metrabs.training.model_loading import load_crop_model


def average_checkpoints(
    paths: Sequence[PathLike], folder: PathLike, shares: Sequence[float] = ()
) -> str:
    """Writes a checkpoint with the mean weights of others, without optimizer.

    Args:
        paths: checkpoints of models of the same settings and joints.
        folder: where to write; must hold no checkpoint.
        shares: of each checkpoint in the mean, in any unit; default: equal.

    Returns:
        Path of the new checkpoint, numbered as the latest of the given ones.

    Raises:
        UserError: a checkpoint is missing or of another model, or the shares are unusable.
    """
    check_empty(folder)
    checkpoints = [locate_checkpoint(path) for path in paths]
    weights = _normalized(shares or [1.0] * len(checkpoints), len(checkpoints))
    config, joint_info = read_description(checkpoints[0].parent)
    for other in checkpoints[1:]:
        if read_description(other.parent)[1].names != joint_info.names:
            raise UserError(f"'{other}' has other joints than '{checkpoints[0]}'.")
    model = load_crop_model(checkpoints[0])
    variables = model.backbone.weights + model.heatmap_heads.weights
    sums = [weights[0] * v.numpy().astype(np.float64) for v in variables]
    for checkpoint, weight in zip(checkpoints[1:], weights[1:]):
        restore_model(model, checkpoint)
        for total, variable in zip(sums, variables):
            total += weight * variable.numpy()
    for total, variable in zip(sums, variables):
        variable.assign(total.astype(np.float32))
    num_steps = max(checkpoint_number(checkpoint) for checkpoint in checkpoints)
    return str(write_variation(model, config, checkpoints[0], folder, num_steps))


def _normalized(shares: Sequence[float], num_checkpoints: int) -> list[float]:
    if num_checkpoints < 2:
        raise UserError("Give at least two checkpoints to average.")
    if len(shares) != num_checkpoints or min(shares) < 0 or not 0 < sum(shares) < np.inf:
        raise UserError(
            f"--shares must be {num_checkpoints} numbers, none negative and not all zero."
        )
    return [share / sum(shares) for share in shares]
