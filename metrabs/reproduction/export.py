"""The export stage: crop model, person detector and affine weights in one SavedModel."""

from __future__ import annotations

import pathlib

from metrabs.acae.weights_file import load_affine_weights
from metrabs.estimator.detectors.efficientdet import build_person_detector
from metrabs.estimator.export import export_estimator


def export_run(
    run_folder: pathlib.Path, affine_weights_path: pathlib.Path, output: pathlib.Path
) -> None:
    """Exports the last checkpoint of a run as a full-image estimator.

    Args:
        run_folder: folder of a training run.
        affine_weights_path: autoencoder weights to bundle, .npz.
        output: SavedModel folder to write.
    """
    from metrabs.models.description import read_config
    from metrabs.training.checkpoints import latest_checkpoint
    from metrabs.training.model_loading import load_crop_model

    checkpoint = latest_checkpoint(run_folder)
    assert checkpoint is not None, f"no checkpoint in {run_folder}"
    export_estimator(
        load_crop_model(checkpoint), output, detector=build_person_detector(),
        affine_weights=load_affine_weights(affine_weights_path), config=read_config(run_folder),
    )
