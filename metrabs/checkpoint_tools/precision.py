"""Changing the precision in which a trained model computes.

Weights are kept in float32 in any case, as mixed precision needs it. Models that compute in
16 bits are for GPUs; most processors are faster in float32.
"""

from __future__ import annotations

import dataclasses
import pathlib

from ckpt_tools.common.comparison import largest_difference_mm, predictor_of
from ckpt_tools.common.model_checkpoints import (
    check_empty,
    locate_checkpoint,
    write_variation,
)
from metrabs.files import PathLike
from metrabs.models.build import build_crop_model
from metrabs.training.bone_lengths import bone_lengths_of
from metrabs.training.checkpoints import checkpoint_number, read_description, restore_model
from metrabs.training.model_loading import affine_weights_of


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What came of a conversion.

    Attributes:
        checkpoint: the new one.
        old_dtype, new_dtype: types of computation.
        difference_mm: largest distance between joints that the two predict on noise.
    """

    checkpoint: pathlib.Path
    old_dtype: str
    new_dtype: str
    difference_mm: float


def convert_precision(path: PathLike, dtype: str, folder: PathLike) -> Conversion:
    """Writes a checkpoint of the same model that computes in another precision.

    Args:
        path: the checkpoint to convert.
        dtype: 'float32', 'float16' or 'bfloat16'.
        folder: where to write; must hold no checkpoint.

    Raises:
        UserError: the checkpoint is missing or damaged, or the type is unknown.
    """
    check_empty(folder)
    checkpoint = locate_checkpoint(path)
    config, joint_info = read_description(checkpoint.parent)
    models = []
    for settings in (config, config.replace(dtype=dtype)):
        # Not by `load_crop_model`, which avoids float16 where it is slow.
        model = build_crop_model(
            settings.replace(backbone_weights="none"), joint_info,
            affine_weights_of(config, joint_info), bone_lengths_of(config, joint_info, checkpoint),
        )
        restore_model(model, checkpoint)
        models.append(model)
    old, new = map(predictor_of, models)
    written = write_variation(
        models[1], config.replace(dtype=dtype), checkpoint, folder, checkpoint_number(checkpoint)
    )
    difference = largest_difference_mm(old, new, config.loading.proc_side)
    return Conversion(written, config.model.dtype, dtype, difference)
