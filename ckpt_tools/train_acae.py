"""Trains an affine-combining autoencoder on predicted poses and writes its weights.

    python -m ckpt_tools.train_acae --pred_path=a.npz --pred_path=b.npz --output_path=weights.npz

The predictions come from `main.py --predict` of a model with separate heads. `main.py --train
--affine_weights=weights.npz ...` then fine-tunes that model for consistency.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from typing import Optional

import numpy as np
import tensorflow as tf
import tqdm
from absl import flags

from metrabs.acae.config import AcaeConfig
from metrabs.acae.sparsify import zero_small_weights
from metrabs.acae.training import AcaeProgress, train_acae
from metrabs.acae.weights_file import save_affine_weights
from metrabs.command import reject_positional_args, run_command
from metrabs.errors import UserError
from metrabs.training.prediction_files import read_predictions


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    defaults = AcaeConfig()

    def _define(kind: Callable[..., object], name: str, default: object, text: str) -> None:
        kind(name, default, text, flag_values=values)

    multi, text, integer = flags.DEFINE_multi_string, flags.DEFINE_string, flags.DEFINE_integer
    _define(multi, "pred_path", [], "predictions (.npz or .h5 with coords3d_pred_cam and "
            "joint_names); may be repeated")
    _define(multi, "test_pred_path", [], "predictions for testing; default: random poses of "
            "--pred_path")
    _define(text, "output_path", None, "weights file to write (.npz)")
    _define(text, "checkpoint_dir", None, "folder for the state of the training, to continue "
            "after a stop")
    _define(integer, "num_latents_sided", defaults.num_latents_sided,
            "left and right latent keypoints together")
    _define(integer, "num_latents_central", defaults.num_latents_central,
            "latent keypoints without a side")
    _define(flags.DEFINE_float, "regul_lambda", defaults.regul_lambda,
            "weight of the sparsity of the weights")
    _define(flags.DEFINE_bool, "chiral", defaults.chiral, "share weights between left and right")
    _define(flags.DEFINE_bool, "projected", defaults.projected,
            "compare projections instead of 3D coordinates")
    _define(integer, "batch_size", defaults.batch_size, "poses per step")
    _define(integer, "num_epochs", defaults.num_epochs, "passes over the poses")
    _define(integer, "num_steps", None, "steps, in place of --num_epochs; the learning rate is "
            "then lowered after each third of the run")
    _define(integer, "seed", defaults.seed, "seed of every random choice")
    _define(flags.DEFINE_float, "zero_below", 0.0, "set smaller weights to zero at the end; 0 "
            "keeps all")


def train(values: flags.FlagValues, words: Sequence[str] = ()) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    if not values.pred_path or not values.output_path:
        raise UserError("Give --pred_path (at least one) and --output_path.")
    # Ten bits of mantissa are too few for coordinates; GPUs would use them by default.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    poses_train, joint_names = load_predictions(values.pred_path)
    poses_test = None
    if values.test_pred_path:
        poses_test, test_names = load_predictions(values.test_pred_path)
        if test_names != joint_names:
            raise UserError("The joints of --test_pred_path are not those of --pred_path.")
    config = _config(values)
    with tqdm.tqdm(unit=" steps", desc="autoencoder") as bar:
        weights, _ = train_acae(
            poses_train, joint_names, config, poses_test, lambda progress: _show(bar, progress),
            values.checkpoint_dir,
        )
    if values.zero_below:
        weights = zero_small_weights(weights, values.zero_below)
    save_affine_weights(
        values.output_path,
        weights,
        num_latents_sided=config.num_latents_sided,
        num_latents_central=config.num_latents_central,
    )
    size = f"{weights.num_joints} joints, {weights.num_latents} latent keypoints"
    print(f"Wrote {values.output_path}: {size}.")


def load_predictions(paths: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Reads prediction files and joins their poses.

    Returns:
        Camera-space poses `[n, joints, 3]` in mm, and the joint names.

    Raises:
        UserError: a file cannot be read or its joints differ from the first file's.
    """
    poses, names = [], None
    for path in paths:
        arrays = read_predictions(path, ("coords3d_pred_cam", "joint_names"))
        poses.append(arrays["coords3d_pred_cam"])
        names_here = [str(name) for name in arrays["joint_names"]]
        if names is not None and names_here != names:
            raise UserError(f"{path} has other joints than {paths[0]}.")
        names = names_here
    return np.concatenate(poses), names or []


def _config(values: flags.FlagValues) -> AcaeConfig:
    names = {field.name for field in dataclasses.fields(AcaeConfig)}
    given = {name: values[name].value for name in values if name in names}
    if values.num_steps:
        given["learning_rate_boundaries"] = None
    return AcaeConfig(**given)


def _show(bar: tqdm.tqdm, progress: AcaeProgress) -> None:
    bar.total = progress.total_steps
    shown = {"loss": f"{progress.loss:.4f}", "error_mm": f"{1000 * progress.reconstruction:.1f}"}
    if progress.test_reconstruction is not None:
        shown["test_error_mm"] = f"{1000 * progress.test_reconstruction:.1f}"
    bar.set_postfix(shown, refresh=False)
    bar.update(progress.step - bar.n)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_command(__doc__, define_flags, train, arguments)


if __name__ == "__main__":
    sys.exit(main())
