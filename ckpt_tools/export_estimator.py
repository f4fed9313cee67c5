"""Packs a crop model and a person detector into the full-image estimator.

    python -m ckpt_tools.export_estimator --model=crop_model/ --output=estimator/
    python -m ckpt_tools.export_estimator --model=crop_model/ --detector=none \\
        --affine_weights=weights.npz --output=estimator.tar.gz

The result needs TensorFlow alone: `tf.saved_model.load('estimator/').detect_poses(image)`. An
output that ends in .tar.gz is an archive as `hub.load` expects it.
"""

from __future__ import annotations

import dataclasses
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

from metrabs.acae.weights_file import load_affine_weights
from metrabs.command import run_tool
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.estimator.detectors.registry import CHOICES, DEFAULT_DETECTOR, build_detector
from metrabs.estimator.export import export_estimator, pack_export
from metrabs.models.inference_model import PRECISIONS
from metrabs.models.reloading import reload_crop_model
from metrabs.settings import setting
from metrabs.skeletons.tables import Skeleton

_CONFIG_NAME = "config.json"


@dataclasses.dataclass(frozen=True)
class ExportSettings:
    """Settings of the command."""

    model: str = setting(None, "SavedModel folder of the crop model")
    output: str = setting(None, "folder or .tar.gz file to write")
    detector: str = setting(DEFAULT_DETECTOR, CHOICES)
    detector_tiles: int = setting(
        1,
        "number of tiles per side of the image in which the built-in detectors also look for "
        "small people",
    )
    affine_weights: Optional[str] = setting(
        None, "weights file (.npz) of the autoencoder, kept in the export"
    )
    skeletons: Optional[str] = setting(
        None,
        "JSON file {name: {indices, names, edges}}; default: all formats whose joints the "
        "model has",
    )
    joint_transform: Optional[str] = setting(
        None, ".npy file with a matrix [crop model joints, output joints]"
    )
    bone_lengths: Optional[str] = setting(
        None,
        ".npy file with the typical length of each edge of the crop model; default: bone "
        "lengths are not checked",
        "mm",
    )
    rot_aug: float = setting(25.0, "largest rotation of the views", "degrees")
    rot_aug_360: bool = setting(False, "spread the views over the whole circle")
    rot_aug_360_half: bool = setting(False, "do so with half of the views")
    detector_flip_vertical_too: bool = setting(
        False, "detector_flip_aug also turns the image upside down"
    )
    precision: str = setting(
        "by-device",
        "precision of the network; by-device: float16 on GPUs, else float32",
        choices=PRECISIONS,
    )
    crop_dtype: Optional[str] = setting(
        None,
        "type of the crops given to the model; default: float32 where the model takes them",
        choices=("float16", "float32"),
    )

    @property
    def rotation_mode(self) -> str:
        """How views are rotated, see `metrabs.estimator.export.export_estimator`."""
        if self.rot_aug_360_half:
            return "half_full"
        return "full" if self.rot_aug_360 else "normal"


def run(settings: ExportSettings) -> None:
    """Runs the command.

    Raises:
        UserError: an input cannot be read or does not fit the others.
    """
    crop_model = _load_crop_model(settings.model)
    output = pathlib.Path(settings.output)
    if not output.name.endswith(".tar.gz"):
        _export_folder(settings, crop_model, output)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            folder = _export_folder(settings, crop_model, pathlib.Path(scratch, "model"))
            pack_export(folder, output)
    print(f"Wrote {output}.")


def _export_folder(
    settings: ExportSettings, crop_model: Any, folder: pathlib.Path
) -> pathlib.Path:
    affine_weights = (
        load_affine_weights(settings.affine_weights) if settings.affine_weights else None
    )
    config = _read_config(settings.model)
    if config is not None:
        crop_model = reload_crop_model(crop_model, config, affine_weights)
    return export_estimator(
        crop_model,
        folder,
        detector=build_detector(settings.detector, settings.detector_tiles),
        skeletons=_read_skeletons(settings.skeletons) if settings.skeletons else None,
        joint_transform=_read_array(settings.joint_transform),
        bone_lengths_mm=_read_array(settings.bone_lengths),
        affine_weights=affine_weights,
        precision=settings.precision,
        rotation_degrees=settings.rot_aug,
        rotation_mode=settings.rotation_mode,
        detector_flip_vertical_too=settings.detector_flip_vertical_too,
        crop_dtype=settings.crop_dtype,
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
        raise UserError(f"The SavedModel '{path}' is not a crop model: it has no predict_multi.")
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


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, ExportSettings, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
