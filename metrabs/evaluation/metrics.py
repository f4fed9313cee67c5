"""Pose error metrics, computed from distances between predicted and true joints.

All functions take a mask of valid joints; the truth of an invalid joint may have any value. A
metric without any valid joint is NaN. A NaN among the predictions counts as wrong in percentages
(PCK, CPS) and makes mean distances NaN.

Names: MPJPE mean per-joint position error; PA after Procrustes alignment; A absolute;
PCK percentage of correct keypoints; CPS correct poses score, the percentage of poses whose joints
are all correct; AUC area under the curve of these over the threshold.
"""

from __future__ import annotations

import numpy as np

from metrabs.geometry.pose_distances import (
    Mask,
    absolute_distances,
    aligned_distances,
    mean_over_valid,
    relative_distances,
    worst_distances,
)


def pck(distances_mm: np.ndarray, threshold_mm: float, mask: Mask = None) -> float:
    """Returns the percentage of distances below a threshold (strictly)."""
    return 100 * mean_over_valid(np.asarray(distances_mm) / threshold_mm < 1, mask)


def auc(distances_mm: np.ndarray, threshold_mm: float, mask: Mask = None) -> float:
    """Returns the exact mean of PCK over thresholds from 0 to the given one, percent."""
    return 100 * mean_over_valid(np.maximum(0, 1 - np.asarray(distances_mm) / threshold_mm), mask)


def auc_3dhp(distances_mm: np.ndarray, mask: Mask = None) -> float:
    """Returns the area under the curve as MPI-INF-3DHP and MuPoTS-3D define it, percent.

    The mean of PCK over the 31 thresholds 0, 5, ..., 150 mm.
    """
    num_failed = np.floor(np.asarray(distances_mm) / 150 * 30 + 1)
    return 100 * mean_over_valid(np.maximum(0, 1 - num_failed / 31), mask)


def auc_3dpw(distances_mm: np.ndarray, mask: Mask = None) -> float:
    """Returns the area under the curve as 3DPW defines it, percent.

    As in its evaluation script: distances in 50 bins up to 199 mm, counted from their middles.
    """
    num_failed = np.floor(np.asarray(distances_mm) / 199 * 50) + 0.5
    return 100 * mean_over_valid(np.maximum(0, 1 - num_failed / 50), mask)


def cps(distances_mm: np.ndarray, threshold_mm: float, mask: Mask = None) -> float:
    """Returns the percentage of poses whose worst joint is below a threshold."""
    worst, has_joints = worst_distances(distances_mm, mask)
    return pck(worst, threshold_mm, has_joints)


def auc_cps(distances_mm: np.ndarray, threshold_mm: float, mask: Mask = None) -> float:
    """Returns the exact mean of CPS over thresholds from 0 to the given one, percent."""
    worst, has_joints = worst_distances(distances_mm, mask)
    return auc(worst, threshold_mm, has_joints)


def wacv_metrics(
    pred_mm: np.ndarray, true_mm: np.ndarray, root: int, mask: Mask = None
) -> dict[str, float]:
    """Computes the 19 numbers of the WACV 2023 evaluation, in its order.

    PCK, AUC and CPS are root-relative, APCK is absolute (camera space); only the second number is
    after Procrustes alignment. Millimetres and percent.

    Args:
        pred_mm: Predicted poses `[n, joints, 3]`, camera or world space, mm.
        true_mm: True poses, same shape and frame.
        root: Index of the root joint.
        mask: bool `[n, joints]`; None means that all joints are valid.
    """
    relative, relative_mask = relative_distances(pred_mm, true_mm, mask, root)
    absolute, absolute_mask = absolute_distances(pred_mm, true_mm, mask)
    metrics = {
        "MPJPE": mean_over_valid(relative, relative_mask),
        "PA-MPJPE": mean_over_valid(*aligned_distances(pred_mm, true_mm, mask)),
        "A-MPJPE": mean_over_valid(absolute, absolute_mask),
    }
    for names, functions, thresholds, distances, valid in (
        (("PCK", "AUC"), (pck, auc), (50, 100, 150), relative, relative_mask),
        (("CPS", "AUC-CPS"), (cps, auc_cps), (100, 150, 200), relative, relative_mask),
        (("APCK", "AUC-APCK"), (pck, auc), (150, 300), absolute, absolute_mask),
    ):
        for name, function in zip(names, functions):
            for threshold in thresholds:
                metrics[f"{name}@{threshold}"] = function(distances, threshold, valid)
    return metrics
