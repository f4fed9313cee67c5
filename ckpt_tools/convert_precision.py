"""Writes a checkpoint of the same model that computes in another precision.

    python -m ckpt_tools.convert_precision --checkpoint=run/ --dtype=float32 --output=run_float32/

Models trained in float16 (mixed precision) are meant for GPUs; on most CPUs float32 is faster.
Weights are stored in float32 in any case, as mixed precision needs it. Prints how far the
predicted joints move.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from ckpt_tools.common.comparison import largest_difference_mm
from ckpt_tools.common.model_checkpoints import (
    check_empty,
    locate_checkpoint,
    write_model_checkpoint,
)
from metrabs.command import run_tool
from metrabs.estimator.crop_prediction import crop_predictor
from metrabs.files import PathLike
from metrabs.models.build import build_crop_model
from metrabs.models.description import ModelDescription
from metrabs.settings import setting
from metrabs.training.checkpoints import checkpoint_number, restore_model


@dataclasses.dataclass(frozen=True)
class PrecisionSettings:
    """Settings of the command."""

    checkpoint: str = setting(None, "checkpoint, or a folder with checkpoints")
    dtype: str = setting(
        "float32", "type of computation", choices=("float32", "float16", "bfloat16")
    )
    output: str = setting(None, "folder of the new checkpoint")


@dataclasses.dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        checkpoint: The new checkpoint.
        old_dtype, new_dtype: Types of computation.
        difference_mm: Largest distance between the joints that the two predict on noise.
    """

    checkpoint: pathlib.Path
    old_dtype: str
    new_dtype: str
    difference_mm: float


def convert_precision(path: PathLike, dtype: str, folder: PathLike) -> Conversion:
    """Writes a checkpoint of the same model that computes in another precision.

    Args:
        path: The checkpoint to convert.
        dtype: Type of computation: 'float32', 'float16' or 'bfloat16'.
        folder: Folder of the new checkpoint; must not contain one yet.

    Raises:
        UserError: the checkpoint is missing or damaged, or the type is unknown.
    """
    check_empty(folder)
    checkpoint = locate_checkpoint(path)
    description = ModelDescription.read(checkpoint.parent)
    converted = description.replace(dtype=dtype)
    models = []
    for each in (description, converted):
        # Not by `load_crop_model`, which avoids float16 where it is slow.
        model = build_crop_model(each, pretrained=False)
        restore_model(model, checkpoint)
        models.append(model)
    old, new = map(crop_predictor, models)
    written = write_model_checkpoint(models[1], converted, folder, checkpoint_number(checkpoint))
    config = description.config
    difference = largest_difference_mm(old, new, config.loading.proc_side)
    return Conversion(written, config.model.dtype, dtype, difference)


def run(settings: PrecisionSettings) -> None:
    """Runs the command."""
    result = convert_precision(settings.checkpoint, settings.dtype, settings.output)
    print(f"{result.old_dtype} -> {result.new_dtype}: {result.checkpoint}")
    print(f"Largest difference between joints, on noise: {result.difference_mm:.3f} mm")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, PrecisionSettings, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
