"""Numbers of 3DPW: all annotated people of all frames with a valid camera, 24 SMPL joints."""

from __future__ import annotations

import numpy as np

from metrabs.evaluation import metrics
from metrabs.geometry.pose_distances import (
    absolute_distances,
    aligned_distances,
    relative_distances,
)

ROOT_JOINT = 0
MAJOR_JOINTS = (1, 2, 4, 5, 7, 8, 16, 17, 18, 19, 20, 21)
MINOR_JOINTS = tuple(i for i in range(24) if i not in MAJOR_JOINTS)
POSE_THRESHOLDS_MM = (50, 75, 100, 125, 150)
JOINT_THRESHOLDS_MM = (*range(50, 55), *range(55, 100, 5), *range(100, 301, 50))

# Weights of a frame and of those before it, and of a frame and of those around it.
_CAUSAL_KERNEL = np.array([6, 2, 1, 1, 0.5])
_ACAUSAL_KERNEL = np.array([1, 2, 4, 8, 16, 32, 16, 8, 4, 2, 1])


def classic_numbers(pred_mm: np.ndarray, true_mm: np.ndarray) -> dict[str, float]:
    """Computes the nine numbers of the benchmark's table.

    Args:
        pred_mm: Predicted poses `[n, 24, 3]`, camera space, mm.
        true_mm: True poses.

    Returns:
        MPJPE, MPJPE_PA and AMPJPE in mm, the rest in percent. PCK (50 mm), AUC, NCPS, NCPS-AUC and
        APCK (150 mm) are of the major joints, MinorPCK (50 mm) is of the others. NCPS is the
        percentage of poses whose worst joint after Procrustes alignment is within 125 mm.
        Thresholds are inclusive here.
    """
    relative, _ = relative_distances(pred_mm, true_mm, root=ROOT_JOINT)
    aligned, _ = aligned_distances(pred_mm, true_mm)
    absolute, _ = absolute_distances(pred_mm, true_mm)
    worst = _major(aligned).max(axis=1)
    return {
        "MPJPE": float(relative.mean()),
        "MPJPE_PA": float(aligned.mean()),
        "PCK": _percentage(_major(relative), 50),
        "AUC": metrics.auc_3dpw(_major(relative)),
        "NCPS": _percentage(worst, 125),
        "NCPS-AUC": metrics.auc(worst, 300),
        "APCK": _percentage(_major(absolute), 150),
        "AMPJPE": float(absolute.mean()),
        "MinorPCK": _percentage(relative[:, MINOR_JOINTS], 50),
    }


def ncps_by_threshold(pred_mm: np.ndarray, true_mm: np.ndarray) -> dict[str, float]:
    """Returns NCPS, percent, at 50, 75, 100, 125 and 150 mm; see `classic_numbers`."""
    aligned, _ = aligned_distances(pred_mm, true_mm)
    worst = _major(aligned).max(axis=1)
    return {f"NCPS@{threshold}": _percentage(worst, threshold) for threshold in POSE_THRESHOLDS_MM}


def pck_by_threshold(pred_mm: np.ndarray, true_mm: np.ndarray) -> dict[str, float]:
    """Returns PCK of the major joints, percent, at thresholds from 50 to 300 mm."""
    relative, _ = relative_distances(pred_mm, true_mm, root=ROOT_JOINT)
    return {f"PCK@{t}": _percentage(_major(relative), t) for t in JOINT_THRESHOLDS_MM}


def smooth_tracks(tracks: np.ndarray, is_causal: bool) -> np.ndarray:
    """Smooths poses over time; tracks are mirrored beyond their ends.

    Deviation: the causal kernel of the original implementation is shifted by one frame, so that it
    looks into the future; here the largest weight is on the frame itself and the others on those
    before it.

    Args:
        tracks: `[people, frames, joints, 3]`.
        is_causal: Whether only past frames are used.
    """
    num_frames = tracks.shape[1]
    if is_causal:
        kernel, offset = _CAUSAL_KERNEL, 0
    else:
        kernel, offset = _ACAUSAL_KERNEL, len(_ACAUSAL_KERNEL) // 2
    smoothed = np.zeros(tracks.shape)
    for i, weight in enumerate(kernel / kernel.sum()):
        smoothed += weight * tracks[:, _mirrored(np.arange(num_frames) + offset - i, num_frames)]
    return smoothed


def _mirrored(indices: np.ndarray, length: int) -> np.ndarray:
    """Maps indices beyond the ends back inside; the frame at the end is repeated."""
    folded = indices % (2 * length)
    return np.where(folded < length, folded, 2 * length - 1 - folded)


def _major(distances: np.ndarray) -> np.ndarray:
    return distances[:, MAJOR_JOINTS]


def _percentage(distances: np.ndarray, threshold_mm: float) -> float:
    return 100 * float(np.mean(distances / threshold_mm <= 1))
