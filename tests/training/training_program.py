"""A training program as a process of its own, with the tiny network of these tests.

Called as `python -m tests.training.training_program FOLDER '{"devices": 2, ...}'`, where the
folder holds `config.json`, and the object may have:
    devices: logical processors to train on (by `--multi_gpu`).
    backbone: 'tiny' (default) or 'plain', a single convolution.
    sleep_s: how long each step takes in addition.
    spoil_step: the step from which on the truth is not a number.
The trained weights go to `weights_<number of the worker>.npz` in the folder, and the exit code is
that of `main.py`.
"""

from __future__ import annotations

import json
import pathlib
import sys
import time
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf

from metrabs import cli
from metrabs.config import Config
from metrabs.training import fit, train
from metrabs.training.distribution import worker_index
from tests.training.tiny import build_tiny_backbone


def build_plain_backbone(name: str, **kwargs: Any) -> tf.keras.Model:
    """A network that does nothing random and has no batch statistics."""
    image = tf.keras.Input([None, None, 3])
    features = tf.keras.layers.Conv2D(6, 8, strides=32, padding="same")(image)
    return tf.keras.Model(image, features, name="backbone")


def main(folder: pathlib.Path, options: dict[str, Any]) -> int:
    """Trains as `main.py --train` would; returns the exit code."""
    num_devices = options.get("devices", 1)
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        processor, [tf.config.LogicalDeviceConfiguration()] * num_devices
    )
    config = Config.from_json((folder / "config.json").read_text())
    settings = {**config.to_flat_dict(), "multi_gpu": num_devices > 1}
    arguments = ["--train"] + [f"--{k}={v}" for k, v in settings.items() if v is not None]
    build = build_plain_backbone if options.get("backbone") == "plain" else build_tiny_backbone
    original_run_steps, original_shares = train.run_steps, fit.shard_batches

    def run_steps(trainer: Any, *args: Any, **kwargs: Any) -> pathlib.Path:
        checkpoint = original_run_steps(trainer, *args, **kwargs)
        index = worker_index(trainer.distribute_strategy)
        weights = [variable.numpy() for variable in trainer.crop_model.trainable_variables]
        np.savez(folder / f"weights_{index}.npz", *weights)
        return checkpoint

    def shard_batches(batches: Iterator[dict[str, Any]], *args: Any) -> Any:
        return original_shares(_disturbed(batches, options), *args)

    with (
        mock.patch("metrabs.models.build.build_backbone", build),
        mock.patch.object(train, "run_steps", run_steps),
        mock.patch.object(fit, "shard_batches", shard_batches),
    ):
        return cli.main(arguments)


def _disturbed(batches: Iterator[dict[str, Any]], options: dict[str, Any]) -> Iterator[Any]:
    for step, batch in enumerate(batches):
        time.sleep(options.get("sleep_s", 0))
        if step >= options.get("spoil_step", np.inf):
            batch = {**batch, "coords3d_true": batch["coords3d_true"] * np.float32(np.nan)}
        yield batch


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])))
