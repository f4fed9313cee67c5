"""Turns a crop model of the original release into a checkpoint of ours.

    python -m ckpt_tools.import_released --model=metrabs_s --output=imported/
    python -m ckpt_tools.import_released --model=crop_model/ --backbone=resnet50v2 \\
        --nocentered_stride --output=imported/

The model is a SavedModel of the release, a crop model or a full-image model with one inside, as a
folder, archive, address or name. Its variables are mapped by name. Its settings are not in it:
the defaults are those of most published models; the one of crops of 256 px (metrabs_s_256) needs
--nocentered_stride. Unless --nocheck is given, predictions before and after are compared, and
nothing is written if they differ. The way back is ckpt_tools.export_released.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from metrabs.command import reject_positional_args, required, run_command

_SETTINGS = ("backbone", "centered_stride", "box_size_mm", "mix_3d_inside_fov",
             "weak_perspective", "reconstruction_scale", "dtype")  # fmt: skip


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    define: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string("model", None, "SavedModel: folder, archive, address or name", **define)
    flags.DEFINE_string("output", None, "folder of the new checkpoint", **define)
    flags.DEFINE_integer("num_steps", 0, "number of the checkpoint: steps of training", **define)
    flags.DEFINE_string("backbone", None, "its name; default: as the variables' names tell, which "
                        "they do for EfficientNetV2", **define)
    flags.DEFINE_bool("centered_stride", True, "see main.py --help", **define)
    flags.DEFINE_float("box_size_mm", 2200.0, "see main.py --help", **define)
    flags.DEFINE_float("mix_3d_inside_fov", 0.5, "see main.py --help", **define)
    flags.DEFINE_bool("weak_perspective", False, "see main.py --help", **define)
    flags.DEFINE_enum("reconstruction_scale", "example", ["example", "batch"],
                      "see main.py --help", **define)
    flags.DEFINE_enum("dtype", "float32", ["float32", "float16", "bfloat16"],
                      "see main.py --help", **define)
    flags.DEFINE_bool("check", True, "compare the predictions of both models", **define)
    flags.DEFINE_float("tolerance_mm", 5.0, "largest difference that passes the check", **define)


def import_model(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from ckpt_tools.common.model_checkpoints import check_empty, write_model_checkpoint
    from ckpt_tools.common.original_model import read_released_crop_model
    from metrabs.hub import resolve

    reject_positional_args(words)
    name, output = required(values, "model", "output")
    check_empty(output)
    path = resolve(name)
    given = {name: values[name].value for name in _SETTINGS if values[name].value is not None}
    model, config = read_released_crop_model(path, given)
    if values.check:
        _compare(path, model, values.tolerance_mm)
    print(f"Wrote {write_model_checkpoint(model, config, output, values.num_steps)}.")


def _compare(path: Any, model: Any, tolerance_mm: float) -> None:
    import tensorflow as tf

    from ckpt_tools.common.comparison import largest_difference_mm, predictor_of
    from metrabs.errors import UserError

    print("Comparing predictions with the original's ...", flush=True)
    loaded = tf.saved_model.load(str(path))
    original = getattr(loaded, "crop_model", loaded)
    if not hasattr(original, "predict_multi"):
        raise UserError(f"'{path}' has no predict_multi to compare with; give --nocheck.")
    difference = largest_difference_mm(
        predictor_of(original), predictor_of(model), model.proc_side
    )
    print(f"Largest difference between joints: {difference:.4f} mm")
    if not difference <= tolerance_mm:
        raise UserError(
            f"The imported model predicts otherwise than the original, by up to {difference:.1f} "
            "mm: a setting is not the one it was trained with. Try --nocentered_stride first."
        )


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, import_model))
