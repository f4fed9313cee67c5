"""Trains an affine-combining autoencoder on predicted poses and writes its weights.

    python -m ckpt_tools.train_acae --pred_path=a.npz --pred_path=b.npz --output=weights.npz

The predictions come from `main.py --predict` of a model with separate heads. `main.py --train
--affine_weights=weights.npz ...` then fine-tunes that model for consistency.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
import tensorflow as tf
import tqdm
from absl import flags

from metrabs.acae.config import AcaeConfig
from metrabs.acae.training import AcaeProgress, train_acae
from metrabs.acae.weights_file import save_affine_weights, zero_small_weights
from metrabs.command import reject_positional_args, required, run_command
from metrabs.errors import UserError
from metrabs.settings import define_flags, from_flags, setting
from metrabs.training.prediction_files import read_predictions

_ALIASES = {"output_path": "output"}


@dataclasses.dataclass(frozen=True)
class FileSettings:
    """Settings of the command, next to those of the training."""

    pred_path: tuple[str, ...] = setting(
        (),
        "predictions (.npz or .h5 with coords3d_pred_cam and joint_names); may be repeated",
        repeated=True,
    )
    test_pred_path: tuple[str, ...] = setting(
        (),
        "predictions for testing; may be repeated; default: random poses of --pred_path",
        repeated=True,
    )
    output: str = setting(None, "weights file to write (.npz)")
    checkpoint_dir: Optional[str] = setting(
        None, "folder for the state of the training, to continue after an interruption"
    )
    zero_below: float = setting(
        0.0, "set smaller weights to zero at the end; 0 keeps all", at_least=0
    )


def train(files: FileSettings, config: AcaeConfig) -> None:
    """Trains the autoencoder and writes its weights.

    Args:
        files: Inputs and outputs.
        config: Settings of the training.

    Raises:
        UserError: a file cannot be read, or the files have different joints.
    """
    # Ten bits of mantissa are too few for coordinates; GPUs would use them by default.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    poses_train, joint_names = load_predictions(files.pred_path)
    poses_test = None
    if files.test_pred_path:
        poses_test, test_names = load_predictions(files.test_pred_path)
        if test_names != joint_names:
            raise UserError("The joints of --test_pred_path are not those of --pred_path.")
    with tqdm.tqdm(unit=" steps", desc="autoencoder") as bar:
        weights, _ = train_acae(
            poses_train,
            joint_names,
            config,
            poses_test,
            lambda progress: _show(bar, progress),
            files.checkpoint_dir,
        )
    if files.zero_below:
        weights = zero_small_weights(weights, files.zero_below)
    save_affine_weights(
        files.output,
        weights,
        num_latents_sided=config.num_latents_sided,
        num_latents_central=config.num_latents_central,
    )
    size = f"{weights.num_joints} joints, {weights.num_latents} latent keypoints"
    print(f"Wrote {files.output}: {size}.")


def load_predictions(paths: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """Reads prediction files and joins their poses.

    Args:
        paths: Files with `coords3d_pred_cam` and `joint_names`.

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


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_command(__doc__, _define_flags, _train, arguments, aliases=_ALIASES)


def _define_flags(values: flags.FlagValues) -> None:
    define_flags(values, FileSettings, group="files")
    define_flags(values, AcaeConfig, group="training")


def _train(values: flags.FlagValues, words: Sequence[str]) -> None:
    reject_positional_args(words)
    required(values, "pred_path", "output")
    # The default boundaries belong to the default length of the run.
    others: dict[str, Any] = {"learning_rate_boundaries": None} if values.num_steps else {}
    train(from_flags(values, FileSettings), from_flags(values, AcaeConfig, **others))


def _show(bar: tqdm.tqdm, progress: AcaeProgress) -> None:
    bar.total = progress.total_steps
    shown = {"loss": f"{progress.loss:.4f}", "error_mm": f"{1000 * progress.reconstruction:.1f}"}
    if progress.test_reconstruction is not None:
        shown["test_error_mm"] = f"{1000 * progress.test_reconstruction:.1f}"
    bar.set_postfix(shown, refresh=False)
    bar.update(progress.step - bar.n)


if __name__ == "__main__":
    sys.exit(main())
