"""Converts an original crop model to a checkpoint of ours.

    python -m ckpt_tools.import_released --model=metrabs_s --output=imported/
    python -m ckpt_tools.import_released --model=crop_model/ --backbone=resnet50v2 \\
        --nocentered_stride --output=imported/

The model is an original SavedModel, a crop model or a full-image model that contains one, given as
a folder, archive, URL or name. Its variables are mapped by name. Its settings are not in the file:
the defaults are those of most published models; the one for crops of 256 px (metrabs_s_256) needs
--nocentered_stride. Unless --nocheck is given, predictions before and after are compared, and
nothing is written if they differ. The way back is ckpt_tools.export_released.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Optional

import tensorflow as tf

from ckpt_tools.common.comparison import largest_difference_mm
from ckpt_tools.common.model_checkpoints import check_empty, write_model_checkpoint
from ckpt_tools.common.original_model import read_original_crop_model
from metrabs.command import run_tool
from metrabs.config import ModelConfig
from metrabs.errors import UserError
from metrabs.estimator.crop_prediction import crop_predictor
from metrabs.hub import resolve
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription
from metrabs.settings import setting


def _model_setting(name: str) -> Any:
    """Declares a setting with the default and help text that it has in training."""
    (field,) = [field for field in dataclasses.fields(ModelConfig) if field.name == name]
    return dataclasses.field(default=field.default, metadata=field.metadata)


@dataclasses.dataclass(frozen=True)
class ImportSettings:
    """Settings of the command."""

    model: str = setting(None, "SavedModel: folder, archive, URL or name")
    output: str = setting(None, "folder of the new checkpoint")
    num_steps: int = setting(0, "number of the checkpoint: steps of training", at_least=0)
    check: bool = setting(True, "compare the predictions of both models")
    tolerance_mm: float = setting(
        5.0, "largest difference between joints that passes the check", "mm"
    )
    backbone: Optional[str] = setting(
        None,
        "name of the backbone; default: as indicated by the names of variables, which works "
        "for EfficientNetV2",
    )
    centered_stride: bool = _model_setting("centered_stride")
    box_size_mm: float = _model_setting("box_size_mm")
    mix_3d_inside_fov: float = _model_setting("mix_3d_inside_fov")
    weak_perspective: bool = _model_setting("weak_perspective")
    reconstruction_scale: str = _model_setting("reconstruction_scale")
    dtype: str = setting(
        "float32",
        "compute type; 16-bit types mean mixed precision",
        choices=("float32", "float16", "bfloat16"),
    )

    def of_model(self) -> dict[str, Any]:
        """Returns the settings that describe the crop model, by name."""
        names = {field.name for field in dataclasses.fields(ModelConfig)}
        given = {name: value for name, value in vars(self).items() if name in names}
        return {name: value for name, value in given.items() if value is not None}


def run(settings: ImportSettings) -> None:
    """Runs the command.

    Raises:
        UserError: the model cannot be imported, or predicts something else than the original.
    """
    check_empty(settings.output)
    path = resolve(settings.model)
    model, config = read_original_crop_model(path, settings.of_model())
    if settings.check:
        _compare(path, model, settings.tolerance_mm)
    description = ModelDescription(config, model.joint_info)
    written = write_model_checkpoint(model, description, settings.output, settings.num_steps)
    print(f"Wrote {written}.")


def _compare(path: pathlib.Path, model: CropModel, tolerance_mm: float) -> None:
    print("Comparing predictions with the original's ...", flush=True)
    loaded = tf.saved_model.load(str(path))
    original = getattr(loaded, "crop_model", loaded)
    if not hasattr(original, "predict_multi"):
        raise UserError(f"'{path}' has no predict_multi to compare with; give --nocheck.")
    difference = largest_difference_mm(
        crop_predictor(original), crop_predictor(model), model.proc_side
    )
    print(f"Largest difference between joints: {difference:.4f} mm")
    if not difference <= tolerance_mm:
        raise UserError(
            f"The imported model's predictions differ from the original's by up to "
            f"{difference:.1f} mm: a setting is not the one it was trained with. Try "
            "--nocentered_stride first."
        )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, ImportSettings, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
