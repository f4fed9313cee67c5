"""Metrics of held-out examples, computed periodically during training.

Proportions are fractions, as in the original; those of `metrabs.evaluation` are percentages.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Optional

import numpy as np

from metrabs.config import Config
from metrabs.data.examples import PoseDataset
from metrabs.data.loading.pipeline import Batch, evaluation_batches
from metrabs.geometry.pose_distances import (
    aligned_distances,
    mean_over_valid,
    relative_distances,
    worst_distances,
)
from metrabs.geometry.projection import project_pose
from metrabs.models.crop_model import CropModel
from metrabs.training.prediction import predict_poses

CORRECT_MM = 150.0  # a joint is correct up to here (inclusive)


def validation_metrics(model: CropModel, dataset: PoseDataset, config: Config) -> dict[str, float]:
    """Predicts the validation split of a dataset and returns its `pose_metrics`.

    Models whose poses are only root-relative have no absolute and no 2D error.
    """
    batches = evaluation_batches(
        dataset.split(config.data.validate_on),
        dataset.joint_info,
        config.loading,
        config.data.batch_size_test,
        config.run.workers,
        config.run.folders,
    )
    small_inputs: list[tuple[np.ndarray, np.ndarray]] = []
    poses = predict_poses(model, _record_inputs(batches, small_inputs))
    intrinsics, coords2d_true = map(np.concatenate, zip(*small_inputs))
    is_absolute = model.variant.is_absolute
    pred = poses["coords3d_pred_cam"]
    return pose_metrics(
        pred,
        poses["coords3d_true_cam"],
        poses["joint_validity_mask"],
        model.joint_info.names,
        is_absolute=is_absolute,
        mean_relative=config.model.mean_relative,
        coords2d_pred=project_pose(pred, intrinsics).numpy() if is_absolute else None,
        coords2d_true=coords2d_true,
    )


def pose_metrics(
    coords3d_pred: np.ndarray,
    coords3d_true: np.ndarray,
    mask: np.ndarray,
    joint_names: Sequence[str],
    *,
    is_absolute: bool = True,
    mean_relative: bool = True,
    coords2d_pred: Optional[np.ndarray] = None,
    coords2d_true: Optional[np.ndarray] = None,
) -> dict[str, float]:
    """Computes the validation metrics of the original; 0 where nothing is valid.

    Deviation: poses with fewer than three valid joints do not count in the metrics after rigid
    alignment, which is undefined for them; the original implementation gets NaN.

    Args:
        coords3d_pred: Predicted poses `[n, joints, 3]`, mm, absolute or root-relative.
        coords3d_true: True camera-space poses, mm.
        mask: Annotated joints, bool `[n, joints]`.
        joint_names: Names of the joints.
        is_absolute: Whether the prediction is absolute; otherwise there is no `mean_error_abs`.
        mean_relative: Whether root-relative poses are relative to the mean of the valid joints;
            otherwise to the last joint, valid or not.
        coords2d_pred: Predicted pixels `[n, joints, 2]`, for `mean_error_2d`.
        coords2d_true: True pixels.

    Returns:
        Errors in mm (2D in pixels) and fractions: `mean_error`, `mean_error_procrustes`,
        `mean_auc`, `mean_pck`, `pck_wrists`, `auc_wrists`, `ncps`, `ncps_auc`, and where there is
        something to compare `mean_error_abs`, `mean_error_2d`. The wrists need joints named lwri
        and rwri; then all joints count whose name contains one of these. `ncps` is the fraction
        of poses whose worst joint after alignment is correct.
    """
    mask = np.asarray(mask, bool)
    relative = _relative(coords3d_pred, coords3d_true, mask, mean_relative)
    aligned, aligned_mask = aligned_distances(coords3d_pred, coords3d_true, mask)
    worst, has_joints = worst_distances(aligned, aligned_mask)
    is_wrist = _wrists(joint_names)
    wrist_mask = mask & is_wrist
    metrics = {
        "mean_error": _mean(relative, mask),
        "mean_error_procrustes": _mean(aligned, aligned_mask),
        "mean_auc": _mean(_ramp(relative, 0, CORRECT_MM), mask),
        "mean_pck": _mean(relative <= CORRECT_MM, mask),
        "pck_wrists": _mean(relative <= CORRECT_MM, wrist_mask),
        "auc_wrists": _mean(_ramp(relative, 0, CORRECT_MM), wrist_mask),
        "ncps": _mean(worst <= CORRECT_MM, has_joints),
        "ncps_auc": _mean(_ramp(worst, 50, CORRECT_MM), has_joints),
    }
    if is_absolute:
        metrics["mean_error_abs"] = _mean(_norm(coords3d_pred - coords3d_true), mask)
    if coords2d_pred is not None and coords2d_true is not None:
        metrics["mean_error_2d"] = _mean(_norm((coords2d_pred - coords2d_true)[..., :2]), mask)
    return metrics


def _record_inputs(
    batches: Iterable[Batch], small_inputs: list[tuple[np.ndarray, np.ndarray]]
) -> Iterator[Batch]:
    """Yields the batches, and records their cameras and true pixels."""
    for batch in batches:
        small_inputs.append((batch["intrinsics"], batch["coords2d_true"]))
        yield batch


def _relative(
    pred: np.ndarray, true: np.ndarray, mask: np.ndarray, mean_relative: bool
) -> np.ndarray:
    if mean_relative:
        return relative_distances(pred, true, mask)[0]
    difference = pred - true
    return _norm(difference - difference[:, -1:])


def _wrists(joint_names: Sequence[str]) -> np.ndarray:
    has_wrists = {"lwri", "rwri"} <= set(joint_names)
    return np.array([has_wrists and ("lwri" in n or "rwri" in n) for n in joint_names], bool)


def _ramp(distances: np.ndarray, full: float, none: float) -> np.ndarray:
    return np.clip((none - distances) / (none - full), 0, 1)


def _norm(vectors: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vectors, axis=-1)


def _mean(values: np.ndarray, mask: np.ndarray) -> float:
    return mean_over_valid(values, mask) if mask.any() else 0.0
