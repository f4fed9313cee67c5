"""Packing a crop model, a detector and the skeleton tables into one SavedModel.

The result needs TensorFlow alone: `tf.saved_model.load(folder)`. Its folder also holds
`assets.extra/manifest.json`, which lists the settings and the SHA-256 of each file.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.acae.weights_file import AffineWeights
from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.estimator.detectors.contract import describe_detector
from metrabs.estimator.estimator import PoseEstimator
from metrabs.estimator.serving import serving_signatures
from metrabs.files import (
    PathLike,
    atomic_folder,
    atomic_path,
    check_is_saved_model_or_free,
    sha256_of_file,
)
from metrabs.models.crop_model import CropModel
from metrabs.models.description import joint_info_of
from metrabs.models.inference_model import InferenceCropModel, accepting_float16_crops
from metrabs.skeletons.tables import Skeleton, export_skeletons

MANIFEST_PATH = pathlib.PurePath("assets.extra", "manifest.json")
MANIFEST_VERSION = 1


class CropModelPart(tf.Module):
    """The members of a crop model that the estimator's contract names, and their variables.

    Other members of a crop model (functions of its layers, training state) would make the export
    larger and slower to load.

    Args:
        crop_model: a live or a loaded crop model.
        functions: its prediction functions by name.
        variables: Variables of these functions.
    """

    def __init__(
        self, crop_model: Any, functions: Mapping[str, Any], variables: Sequence[tf.Variable]
    ) -> None:
        super().__init__(name="crop_model")
        self.joint_names = crop_model.joint_names
        self.joint_edges = crop_model.joint_edges
        self.input_resolution = crop_model.input_resolution
        self.model_variables = list(variables)
        for name, function in functions.items():
            setattr(self, name, function)


def export_estimator(
    crop_model: Any,
    output_dir: PathLike,
    *,
    detector: Any = None,
    skeletons: Optional[Mapping[str, Skeleton]] = None,
    affine_weights: Optional[AffineWeights] = None,
    precision: str = "by-device",
    config: Optional[Config] = None,
    **settings: Any,
) -> pathlib.Path:
    """Writes the full-image estimator as a SavedModel.

    Its signatures are those of `metrabs.estimator.serving`. An interrupted export leaves nothing
    behind.

    Args:
        crop_model: a `CropModel` or what `tf.saved_model.load` returns for one.
        output_dir: folder to write; an earlier export there is replaced.
        detector: Detector that meets the contract of `metrabs.estimator.detectors`; None detects
            no people.
        skeletons: output formats by name; default: all formats whose joints the model has.
        affine_weights: the autoencoder the model was trained with, kept for users.
        precision: Precision of the network, see `InferenceCropModel`; a loaded crop model keeps
            its own.
        config: settings of the crop model, written to the manifest.
        settings: the other arguments of `PoseEstimator`.

    Returns:
        The folder.

    Raises:
        UserError: the parts do not fit together, the model's poses are only root-relative, or the
            folder holds something else.
    """
    target = pathlib.Path(output_dir)
    check_is_saved_model_or_free(target)
    joint_names = joint_info_of(crop_model).names
    if skeletons is None:
        if settings.get("joint_transform") is not None:
            raise UserError("A joint transform changes the joints; give the skeletons as well.")
        skeletons = export_skeletons(joint_names, crop_model.joint_edges.numpy())
    if affine_weights is not None:
        affine_weights = affine_weights.for_joints(joint_names)
        settings["affine_weights"] = (affine_weights.w1, affine_weights.w2)
    is_live = isinstance(crop_model, CropModel)
    part = InferenceCropModel(crop_model, precision) if is_live else crop_model
    estimator = PoseEstimator(without_extras(part), skeletons, detector=detector, **settings)
    description = {
        **{name: _describe(value) for name, value in settings.items()},
        "detector": describe_detector(detector),
        "precision": precision if is_live else "as loaded",
        "input_resolution": int(crop_model.input_resolution.numpy()),
        "num_latent_keypoints": affine_weights.num_latents if affine_weights else None,
    }
    with atomic_folder(target) as folder:
        save_estimator(estimator, folder)
        _write_manifest(folder, description, skeletons, config)
    return target


def save_estimator(estimator: PoseEstimator, folder: PathLike) -> None:
    """Saves an estimator with its signatures, without a manifest."""
    tf.saved_model.save(
        estimator,
        os.fspath(folder),
        signatures=serving_signatures(estimator),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=True),
    )


def pack_export(export_dir: PathLike, archive_path: PathLike) -> None:
    """Packs an export as .tar.gz with `saved_model.pb` at the top, which `hub.load` expects."""
    with atomic_path(archive_path) as path, tarfile.open(path, "w:gz", compresslevel=3) as tar:
        for entry in sorted(pathlib.Path(export_dir).iterdir()):
            tar.add(entry, arcname=entry.name)


def without_extras(crop_model: Any) -> Any:
    """Reduces a crop model to `CropModelPart` where its functions refer to variables only.

    Args:
        crop_model: an `InferenceCropModel` or what `tf.saved_model.load` returns for a crop model.

    Returns:
        What an export stores of it: the part, or else the crop model as it is.
    """
    has_float32 = hasattr(crop_model, "predict_multi_float32")
    name = "predict_multi_float32" if has_float32 else "predict_multi"
    function = getattr(crop_model, name)
    trace = _trace(function)
    handles = {id(variable.handle) for variable in trace.variables}
    if any(t.dtype == tf.resource and id(t) not in handles for t in trace.captured_inputs):
        # Tables and the like can only be stored by the object that owns them.
        return crop_model
    functions = {name: function}
    if has_float32:
        functions["predict_multi"] = accepting_float16_crops(function)
    return CropModelPart(crop_model, functions, trace.variables)


def _describe(setting: Any) -> Any:
    """Returns numbers and strings as they are, shapes of arrays, type names of other objects."""
    if setting is None or isinstance(setting, (bool, int, float, str)):
        return setting
    if isinstance(setting, tuple):
        return [_describe(part) for part in setting]
    return list(np.shape(setting)) or type(setting).__name__


def _trace(function: Any) -> Any:
    loaded_traces = getattr(function, "concrete_functions", None)
    return loaded_traces[0] if loaded_traces else function.get_concrete_function()


def _write_manifest(
    folder: pathlib.Path,
    settings: Mapping[str, Any],
    skeletons: Mapping[str, Skeleton],
    config: Optional[Config],
) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "format_version": MANIFEST_VERSION,
        "versions": {
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
        },
        "settings": dict(settings),
        "crop_model_config": config.to_flat_dict() if config else None,
        "num_joints_per_skeleton": {name: len(s.indices) for name, s in skeletons.items()},
        "sha256": {str(path.relative_to(folder)): sha256_of_file(path) for path in files},
    }
    path = folder / MANIFEST_PATH
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(manifest, indent=2, sort_keys=True), encoding="utf-8")
