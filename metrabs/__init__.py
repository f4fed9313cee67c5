"""Absolute metric 3D human pose estimation in many skeleton formats (MeTRAbs with ACAE).

`metrabs.load_model(name)` returns a ready-to-use pose estimator. All names below are imported on
first use: `import metrabs` neither takes time nor loads TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metrabs.acae.weights_file import AffineWeights, load_affine_weights
    from metrabs.config import Config
    from metrabs.data.datasets import open_dataset
    from metrabs.data.examples import Pose2DExample, Pose3DExample, PoseDataset
    from metrabs.data.storage.cache import write_cache
    from metrabs.errors import UserError
    from metrabs.estimator.client import PredictionSettings, Predictor
    from metrabs.estimator.estimator import PoseEstimator
    from metrabs.estimator.export import export_estimator
    from metrabs.geometry.camera import Camera
    from metrabs.hub import load_model
    from metrabs.skeletons import JointInfo
    from metrabs.training.export import export_crop_model
    from metrabs.training.train import train

__version__ = "0.1.0"

# Name -> the module that defines it.
_MODULES = {
    "AffineWeights": "metrabs.acae.weights_file",
    "Camera": "metrabs.geometry.camera",
    "Config": "metrabs.config",
    "JointInfo": "metrabs.skeletons",
    "Pose2DExample": "metrabs.data.examples",
    "Pose3DExample": "metrabs.data.examples",
    "PoseDataset": "metrabs.data.examples",
    "PoseEstimator": "metrabs.estimator.estimator",
    "PredictionSettings": "metrabs.estimator.client",
    "Predictor": "metrabs.estimator.client",
    "UserError": "metrabs.errors",
    "export_crop_model": "metrabs.training.export",
    "export_estimator": "metrabs.estimator.export",
    "load_affine_weights": "metrabs.acae.weights_file",
    "load_model": "metrabs.hub",
    "open_dataset": "metrabs.data.datasets",
    "train": "metrabs.training.train",
    "write_cache": "metrabs.data.storage.cache",
}

__all__ = [
    "AffineWeights", "Camera", "Config", "JointInfo", "Pose2DExample", "Pose3DExample",
    "PoseDataset", "PoseEstimator", "PredictionSettings", "Predictor", "UserError",
    "export_crop_model", "export_estimator", "load_affine_weights", "load_model", "open_dataset",
    "train", "write_cache",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'metrabs' has no attribute '{name}'")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
