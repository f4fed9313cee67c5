"""Writes a crop model as an ONNX file and compares the two (extra `onnx`).

    python -m ckpt_tools.export_onnx --model=demo_output/consistency --output=crop_model.onnx
    python -m ckpt_tools.export_onnx --model=metrabs_s --output=crop_model.onnx

The model is a checkpoint of ours, an exported crop model, or a SavedModel of the release, whose
settings are then assumed as by ckpt_tools.import_released without flags. Inputs and outputs of
the file: see metrabs.checkpoint_tools.onnx_export.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags

from metrabs.command import reject_positional_args, required, run_command


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_string("model", None, "checkpoint, folder of checkpoints, or SavedModel",
                        flag_values=values)
    flags.DEFINE_string("output", None, "file to write, .onnx", flag_values=values)
    flags.DEFINE_float("tolerance_mm", 1.0, "largest difference between joints that passes",
                       flag_values=values)


def export_model(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from metrabs.checkpoint_tools.onnx_export import export_onnx

    reject_positional_args(words)
    model, output = required(values, "model", "output")
    difference = export_onnx(_load(model), output, values.tolerance_mm)
    print(f"Wrote {output}. Largest difference between joints: {difference:.4f} mm")


def _load(name: str) -> Any:
    import tensorflow as tf

    from ckpt_tools.common.model_checkpoints import locate_checkpoint
    from ckpt_tools.common.original_model import read_released_crop_model
    from metrabs.hub import known_names, resolve
    from metrabs.training.model_loading import load_crop_model

    path = pathlib.Path(name)
    is_saved_model = (path / "saved_model.pb").exists()
    if not (is_saved_model or name in known_names() or name.startswith(("http://", "https://"))):
        return load_crop_model(locate_checkpoint(path))
    path = resolve(name)
    loaded = tf.saved_model.load(str(path))
    crop_model = getattr(loaded, "crop_model", loaded)
    if hasattr(crop_model, "predict_multi_float32"):
        return crop_model
    # The release's reconstruction uses operations that ONNX does not have.
    return read_released_crop_model(path)[0]


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, export_model))
