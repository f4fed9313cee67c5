"""Speed of a training step compared with the bare forward and backward pass of its backbone.

    python -m benchmarks.training [--json=FILE] [--only=NAME]

on an otherwise idle machine. What a step adds (head, reconstruction, losses, optimizer) should
cost little. The rows below a case show where its time goes: waiting for the loader, forward,
backward, update, compared with the whole step; and the peak memory of the process, compared with
that of the machine.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from benchmarks.report import BenchmarkSettings, Measurement, run_benchmark
from metrabs.config import Config
from metrabs.data.datasets import open_dataset
from metrabs.data.loading.pipeline import training_batches
from metrabs.models.build import build_crop_model
from metrabs.models.crop_model import CropModel
from metrabs.models.description import ModelDescription
from metrabs.settings import setting
from metrabs.skeletons.tables import merged_joint_info
from metrabs.synthetic.dataset_suite import build_dataset_suite
from metrabs.training.train import build_trainer, with_supported_dtype
from metrabs.training.trainer import Trainer

_NUM_TIMED = 5
_NUM_WARMUP = 2
_ADMITTED_RATIO = 1.15

# name -> backbone, side, 3D and 2D examples. The second batch is smaller to save time.
_CASES = {
    "mobilenetv3small_128": ("mobilenetv3-small", 128, (96, 32)),
    "efficientnetv2s_256": ("efficientnetv2-s", 256, (24, 8)),
}
_GPU_BATCH = (96, 32)


@dataclasses.dataclass(frozen=True)
class TrainingBenchmarkSettings(BenchmarkSettings):
    """Settings of this benchmark."""

    only: str = setting("", "part of the name of the only case to measure; default: all cases")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_benchmark(__doc__, measure, arguments, TrainingBenchmarkSettings)


def measure(settings: TrainingBenchmarkSettings) -> list[Measurement]:
    """Measures the cases that are asked for."""
    measurements = []
    for name, (backbone, side, batch_size) in _CASES.items():
        if settings.only in f"step_over_backbone_{name}":
            sizes = _GPU_BATCH if tf.config.list_physical_devices("GPU") else batch_size
            measurements += measure_case(name, backbone, side, sizes)
    return measurements


def measure_case(
    name: str, backbone: str, side: int, batch_size: tuple[int, int]
) -> list[Measurement]:
    """Times a training step, its parts, and its backbone alone.

    Args:
        name: Name of the case.
        backbone: Name of the backbone.
        side: Side of the crops in pixels.
        batch_size: Numbers of 3D- and 2D-labelled examples.
    """
    joints3d, joints2d = merged_joint_info("huge8"), merged_joint_info("huge2d_common")
    config = with_supported_dtype(
        Config().replace(
            backbone=backbone,
            backbone_weights="none",
            proc_side=side,
            training_steps=1000,
            absloss_start_step=0,
            weak_perspective_steps=0,
            batch_size=batch_size[0],
            batch_size_2d=batch_size[1],
            occlude_aug_prob=0,
            occlude_aug_prob_2d=0,
            background_aug_prob=0,
        )
    )
    model = build_crop_model(ModelDescription(config, joints3d))
    trainer = build_trainer(config, model, joints2d.names)
    batch = _random_batch(side, joints3d.num_joints, joints2d.num_joints, batch_size)
    functions = {
        "bare": _bare_step(model, batch),
        "forward": _forward(trainer, batch),
        "gradients": _gradients(trainer, batch),
        "step": _training_step(trainer, batch),
    }
    seconds = _shortest_seconds(functions)
    wait = _seconds_of_waiting(config, functions["step"])
    step = seconds["step"]
    parts = {
        "loader_wait": wait,
        "forward": seconds["forward"],
        "backward": seconds["gradients"] - seconds["forward"],
        "update": step - seconds["gradients"],
    }
    return [
        Measurement(
            f"step_over_backbone_{name}", 1e3 * step, "ms", 1e3 * seconds["bare"], _ADMITTED_RATIO
        ),
        Measurement(
            f"steps_per_second_{name}", 1 / step, "1/s", 1 / seconds["bare"], higher_is_better=True
        ),
        *(
            Measurement(f"{part}_{name}", 1e3 * value, "ms", 1e3 * step)
            for part, value in parts.items()
        ),
        Measurement(f"memory_{name}", _peak_megabytes(), "MB", _machine_megabytes()),
    ]


def _shortest_seconds(functions: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Times functions in turns, so that a change of the machine's speed affects all."""
    for _ in range(_NUM_WARMUP):
        for function in functions.values():
            function()
    rounds = [[_seconds(function) for function in functions.values()] for _ in range(_NUM_TIMED)]
    # The minimum is the time least disturbed by other programs.
    return dict(zip(functions, map(min, zip(*rounds))))


def _seconds_of_waiting(config: Config, step: Callable[[], Any]) -> float:
    """Returns how long a step of training waits for its batch, with one worker process."""
    with tempfile.TemporaryDirectory() as root:
        config = config.replace(workers=1, data_root=root, cache_dir=f"{root}/cache")
        build_dataset_suite(
            root,
            data_root=root,
            examples_per_dataset=1,
            valid_examples_per_dataset=1,
            num_test_examples=1,
            examples_per_dataset_2d=2,
            on_progress=lambda *_: None,
        )
        batches = training_batches(
            open_dataset("synth28", config.run.folders),
            open_dataset("synth2d", config.run.folders),
            config,
            0,
            _NUM_WARMUP + _NUM_TIMED,
        )
        waits = []
        for _ in range(_NUM_WARMUP + _NUM_TIMED):
            waits.append(_seconds(lambda: next(batches)))
            step()
    return float(np.median(waits[_NUM_WARMUP:]))


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _machine_megabytes() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20


def _forward(trainer: Trainer, batch: dict[str, Any]) -> Callable[[], Any]:
    num_examples = sum(len(batch[name]) for name in ("image", "image_2d"))
    mix = tf.split(tf.fill([num_examples, 1, 1], 0.5), [len(batch["image"]), -1])
    inputs = {**batch, "mix": mix[0], "mix_2d": mix[1]}

    @tf.function
    def _losses() -> tf.Tensor:
        return trainer._compute_losses(inputs, tf.constant(1, tf.int64), training=True)["loss"]

    return lambda: _losses().numpy()


def _gradients(trainer: Trainer, batch: dict[str, Any]) -> Callable[[], Any]:
    @tf.function
    def _norm() -> tf.Tensor:
        return trainer._gradients_and_logs(batch)[1]["gradient_norm"]

    return lambda: _norm().numpy()


def _training_step(trainer: Trainer, batch: dict[str, Any]) -> Callable[[], Any]:
    train_function = trainer.make_train_function()
    batches = iter(lambda: batch, None)
    return lambda: train_function(batches)["loss"].numpy()


def _bare_step(model: CropModel, batch: dict[str, Any]) -> Callable[[], Any]:
    images = tf.concat([batch["image"], batch["image_2d"]], axis=0)

    @tf.function
    def _forward_and_backward() -> tf.Tensor:
        with tf.GradientTape() as tape:
            features = model.backbone(tf.cast(images, tf.float32) / 255, training=True)
            loss = tf.reduce_mean(tf.cast(features, tf.float32))
        gradients = tape.gradient(loss, model.backbone.trainable_variables)
        # Sums keep TensorFlow from dropping the gradients as unused.
        return tf.add_n([loss] + [tf.reduce_sum(g) for g in gradients])

    return lambda: _forward_and_backward().numpy()


def _seconds(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _random_batch(
    side: int, num_joints: int, num_joints2d: int, batch_size: tuple[int, int]
) -> dict[str, Any]:
    rng = np.random.Generator(np.random.PCG64(0))
    num_3d, num_2d = batch_size
    camera = np.array([[side * 5.0, 0, side / 2], [0, side * 5.0, side / 2], [0, 0, 1]])
    batch = {
        "image": rng.integers(0, 256, (num_3d, side, side, 3), np.uint8),
        "image_2d": rng.integers(0, 256, (num_2d, side, side, 3), np.uint8),
        "intrinsics": np.tile(camera, (num_3d, 1, 1)).astype(np.float32),
        "intrinsics_2d": np.tile(camera, (num_2d, 1, 1)).astype(np.float32),
        "coords3d_true": (rng.normal(0, 300, (num_3d, num_joints, 3)) + [0, 0, 5000]).astype(
            np.float32
        ),
        "coords2d_true": rng.uniform(0, side, (num_3d, num_joints, 2)).astype(np.float32),
        "joint_validity_mask": rng.random((num_3d, num_joints)) < 0.1,
        "coords2d_true_2d": rng.uniform(0, side, (num_2d, num_joints2d, 2)).astype(np.float32),
        "joint_validity_mask_2d": rng.random((num_2d, num_joints2d)) < 0.8,
    }
    return {name: tf.constant(value) for name, value in batch.items()}


if __name__ == "__main__":
    sys.exit(main())
