"""Packs a crop model and a person detector into the full-image estimator.

    python -m ckpt_tools.export_estimator --model=crop_model/ --output=estimator/
    python -m ckpt_tools.export_estimator --model=crop_model/ --detector=none \\
        --affine_weights=weights.npz --output=estimator.tar.gz

The result needs TensorFlow alone: `tf.saved_model.load('estimator/').detect_poses(image)`. A name
that ends in .tar.gz gives an archive as `hub.load` expects it.
"""

from __future__ import annotations

import json
import pathlib
import pickle
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf
from absl import flags

from metrabs.acae.weights_file import load_affine_weights
from metrabs.command import reject_positional_args, required, run_command
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.estimator.detectors.registry import CHOICES, DEFAULT_DETECTOR, build_detector
from metrabs.estimator.export import export_estimator, pack_export
from metrabs.models.inference_model import PRECISIONS
from metrabs.models.reloading import reload_crop_model
from metrabs.skeletons.tables import Skeleton

_CONFIG_NAME = "config.json"


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    text, real, boolean = flags.DEFINE_string, flags.DEFINE_float, flags.DEFINE_bool
    text("model", None, "SavedModel folder of the crop model", flag_values=values)
    text("output", None, "folder or .tar.gz file to write", flag_values=values)
    text("detector", DEFAULT_DETECTOR, CHOICES, flag_values=values)
    flags.DEFINE_integer("detector_tiles", 1, "in how many parts per side of the image the "
                         "built-in detectors also look for small people", flag_values=values)
    text("affine_weights", None, "weights file (.npz) of the autoencoder, kept in the export",
         flag_values=values)
    text("skeletons", None, "JSON file {name: {indices, names, edges}}; default: all formats "
         "whose joints the model has", flag_values=values)
    text("joint_transform", None, ".npy file with a matrix [crop model joints, output joints]",
         flag_values=values)
    text("bone_lengths", None, ".npy file with the usual length of each edge of the crop model "
         "in mm; default: bone lengths are not checked", flag_values=values)
    real("rot_aug", 25.0, "largest rotation of the views, in degrees", flag_values=values)
    boolean("rot_aug_360", False, "spread the views over the whole circle", flag_values=values)
    boolean("rot_aug_360_half", False, "do so with half of the views", flag_values=values)
    boolean("detector_flip_vertical_too", False, "detector_flip_aug also turns the image upside "
            "down", flag_values=values)
    flags.DEFINE_enum("precision", "by-device", PRECISIONS, "of the network; by-device: float16 "
                      "on GPUs, else float32", flag_values=values)
    flags.DEFINE_enum("crop_dtype", None, ["float16", "float32"], "type of the crops given to the "
                      "model; default: float32 where it takes them", flag_values=values)


def export(values: flags.FlagValues, words: Sequence[str] = ()) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    model_path, output_path = required(values, "model", "output")
    crop_model = _load_crop_model(model_path)
    output = pathlib.Path(output_path)
    if not output.name.endswith(".tar.gz"):
        _export_folder(values, crop_model, output)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            pack_export(_export_folder(values, crop_model, pathlib.Path(scratch, "model")), output)
    print(f"Wrote {output}.")


def _export_folder(
    values: flags.FlagValues, crop_model: Any, folder: pathlib.Path
) -> pathlib.Path:
    mode = "full" if values.rot_aug_360 else "normal"
    affine_weights = load_affine_weights(values.affine_weights) if values.affine_weights else None
    config = _read_config(values.model)
    if config is not None:
        crop_model = reload_crop_model(crop_model, config, affine_weights)
    return export_estimator(
        crop_model,
        folder,
        detector=build_detector(values.detector, values.detector_tiles),
        skeletons=_read_skeletons(values.skeletons) if values.skeletons else None,
        joint_transform=_read_array(values.joint_transform),
        bone_lengths_mm=_read_array(values.bone_lengths),
        affine_weights=affine_weights,
        precision=values.precision,
        rotation_degrees=values.rot_aug,
        rotation_mode="half_full" if values.rot_aug_360_half else mode,
        detector_flip_vertical_too=values.detector_flip_vertical_too,
        crop_dtype=values.crop_dtype,
        config=config,
    )


def _load_crop_model(path: str) -> Any:
    try:
        loaded = tf.saved_model.load(path)
    except OSError as error:
        raise UserError(
            f"'{path}' is not the SavedModel folder of a crop model. `python main.py "
            "--export_file=FOLDER --checkpoint_dir=RUN` writes one from a checkpoint."
        ) from error
    if not hasattr(loaded, "predict_multi"):
        raise UserError(f"The SavedModel '{path}' is no crop model: it has no predict_multi.")
    return loaded


def _read_config(model_path: str) -> Optional[Config]:
    path = pathlib.Path(model_path, _CONFIG_NAME)
    return Config.from_json(path.read_text(encoding="utf-8"), path) if path.exists() else None


def _read_skeletons(path: str) -> dict[str, Skeleton]:
    try:
        entries = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        return {
            name: Skeleton(entry["indices"], entry["names"], [(i, j) for i, j in entry["edges"]])
            for name, entry in entries.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"'{path}' is not a JSON file {{name: {{indices, names, edges}}}}: {error}."
        ) from error


def _read_array(path: Optional[str]) -> Optional[np.ndarray]:
    if not path:
        return None
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise UserError(f"'{path}' is not an .npy file of numbers: {error}.") from error


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, export))
