"""Speed of the full-image estimator: cropping, loading, first call, and what it adds to a network.

    python -m benchmarks.inference [--models=none,efficientnetv2-s] [--json=FILE]

on an otherwise idle machine. `none` is a crop model that does nothing, which leaves the estimator
itself: its cropping is compared with TensorFlow's projective transform and power function for one
crop of the same image. Networks have random weights; calls are compared with the network alone on
ready crops, loading and the first call with those of a SavedModel of the network alone, plus what
the estimator may add. Everything is measured on exports, in processes without this code. Boxes are
given, but the models contain a detector.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from benchmarks import estimator_client
from benchmarks.estimator_client import SETTINGS, make_input
from benchmarks.report import BenchmarkSettings, Measurement, run_benchmark
from metrabs.config import Config
from metrabs.estimator.detectors.efficientdet import build_person_detector
from metrabs.estimator.export import export_estimator, without_extras
from metrabs.models.build import build_crop_model
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription
from metrabs.models.inference_model import InferenceCropModel
from metrabs.settings import setting
from metrabs.skeletons.tables import merged_joint_info

_SIDE = 256
_START_LIMIT_S = 2.0  # for loading and for the first call of the estimator itself
_ADMITTED_CALL_RATIO = 1.5  # to the bare network; hardest to meet for the smallest network
_ADMITTED_MEMORY_RATIO = 1.5  # of the peak to that of the bare network


class NoBackbone(tf.Module):
    """A crop model of 555 joints that depends only on the mean of each crop."""

    def __init__(self) -> None:
        super().__init__()
        joint_info = merged_joint_info("huge8")
        self.joint_names = tf.Variable(np.array(joint_info.names, object), trainable=False)
        self.joint_edges = tf.Variable(joint_info.edges, dtype=tf.int32, trainable=False)
        self.input_resolution = tf.Variable(_SIDE, trainable=False)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 3], tf.float32),
            tf.TensorSpec([None, 3, 3], tf.float32),
        ]
    )
    def predict_multi_float32(self, image: tf.Tensor, intrinsic_matrix: tf.Tensor) -> tf.Tensor:
        """Returns `[n, 555, 3]`, 3 m in front of the camera."""
        depth = 3000 + tf.reduce_mean(image, axis=[1, 2, 3])
        joints = tf.linspace([-500.0, -900.0, 0.0], [500.0, 900.0, 0.0], 555)
        return joints + tf.stack([0 * depth, 0 * depth, depth], axis=-1)[:, tf.newaxis]


@dataclasses.dataclass(frozen=True)
class InferenceBenchmarkSettings(BenchmarkSettings):
    """Settings of this benchmark."""

    models: tuple[str, ...] = setting(
        ("none", "mobilenetv3-small", "efficientnetv2-s"), "backbones, or 'none'"
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_benchmark(__doc__, measure, arguments, InferenceBenchmarkSettings)


def measure(settings: InferenceBenchmarkSettings) -> list[Measurement]:
    """Measures estimators with each of the backbones."""
    measurements: list[Measurement] = []
    for model in settings.models:
        name = model.replace("-", "") if model != "none" else "nobackbone"
        results = measure_export(_crop_model(model))
        if model == "none":
            measurements += _without_network(results)
        else:
            measurements += _with_network(name, results)
        measurements += _start_and_memory(name, results)
    return measurements


def measure_export(crop_model: Any) -> dict[str, Any]:
    """Exports an estimator and returns the measurements of `estimator_client`.

    For a network, `bare_load_s` and `bare_first_call_s` are its times without the estimator.
    """
    with tempfile.TemporaryDirectory() as folder:
        bare: dict[str, Any] = {}
        if isinstance(crop_model, CropModel):
            crop_model = InferenceCropModel(crop_model)
            tf.saved_model.save(without_extras(crop_model), f"{folder}/network")
            bare = _run_client(f"{folder}/network")
        export = export_estimator(
            crop_model, pathlib.Path(folder, "estimator"), detector=build_person_detector()
        )
        return {**_run_client(str(export)), **{f"bare_{key}": bare[key] for key in bare}}


def _run_client(export: str) -> dict[str, Any]:
    command = [sys.executable, "-I", str(estimator_client.__file__), export]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output)


def _crop_model(name: str) -> Any:
    if name == "none":
        return NoBackbone()
    config = Config().replace(
        backbone=name, backbone_weights="none", proc_side=_SIDE, dtype="float32"
    )
    return build_crop_model(ModelDescription(config, merged_joint_info("huge8")))


def _without_network(results: Mapping[str, Any]) -> list[Measurement]:
    measurements = []
    for case, (height, width, num_boxes, num_aug) in SETTINGS.items():
        milliseconds = 1000 * results[case]["call_s"] / (num_boxes * num_aug)
        limit = 1000 * _seconds_of_bare_operations(height, width)
        measurements.append(Measurement(f"crop_{case}_nobackbone", milliseconds, "ms/crop", limit))
    return measurements


def _with_network(name: str, results: Mapping[str, Any]) -> list[Measurement]:
    measurements = []
    for case, (_, _, num_boxes, num_aug) in SETTINGS.items():
        milliseconds = 1000 / (num_boxes * num_aug)
        measurements.append(Measurement(
            f"overhead_{case}_{name}", results[case]["call_s"] * milliseconds, "ms/crop",
            results[case]["bare_s"] * milliseconds, _ADMITTED_CALL_RATIO,
        ))  # fmt: skip
    return measurements


def _start_and_memory(name: str, results: Mapping[str, Any]) -> list[Measurement]:
    return [
        *(
            Measurement(
                f"{event}_{name}",
                results[f"{event}_s"],
                "s",
                results.get(f"bare_{event}_s", 0.0) + _START_LIMIT_S,
                admitted_ratio=1,
            )
            for event in ("load", "first_call")
        ),
        Measurement(
            f"peak_memory_{name}",
            results["peak_mb"],
            "MB",
            results["bare_peak_mb"],
            _ADMITTED_MEMORY_RATIO,
        ),
    ]


def _seconds_of_bare_operations(height: int, width: int) -> float:
    image, _ = make_input(height, width, 1)
    linear = (tf.cast(image, tf.float32) / 255)[tf.newaxis]
    transform = tf.constant([[1.5, 0.1, 50, -0.1, 1.5, 80, 1e-5, 1e-5]])

    @tf.function
    def _crop() -> tf.Tensor:
        crops = tf.raw_ops.ImageProjectiveTransformV3(
            images=linear, transforms=transform, output_shape=[_SIDE, _SIDE], fill_value=0.0,
            interpolation="BILINEAR", fill_mode="CONSTANT",
        )  # fmt: skip
        return crops**0.4

    return _least_seconds(_crop)


def _least_seconds(function: Callable[[], object], num_runs: int = 15) -> float:
    durations = []
    for _ in range(num_runs):
        start = time.perf_counter()
        function()
        durations.append(time.perf_counter() - start)
    return min(durations)


if __name__ == "__main__":
    sys.exit(main())
