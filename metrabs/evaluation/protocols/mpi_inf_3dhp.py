"""Numbers of MPI-INF-3DHP: the valid frames of TS1 to TS6, 17 joints relative to the pelvis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from metrabs.datasets.mpi_inf_3dhp import ACTIVITIES, SCENES
from metrabs.evaluation import metrics
from metrabs.geometry.pose_distances import aligned_distances, relative_distances

OUTDOOR = SCENES[2]
ROOT_JOINT = 14
NUM_PCK_JOINTS = 14  # the first ones; the pelvis, whose distance is zero, is not among them
PCK_THRESHOLD_MM = 150.0


def classic_numbers(
    pred_mm: np.ndarray,
    true_mm: np.ndarray,
    activities: Sequence[str],
    scenes: Sequence[str],
    procrustes: bool = False,
) -> dict[str, float]:
    """Computes PCK@150 by activity and by scene, and PCK, AUC and MPJPE of all poses.

    Args:
        pred_mm: Predicted poses `[n, 17, 3]`, mm.
        true_mm: True poses, same shape and frame.
        activities: Activity of each pose, from `ACTIVITIES`.
        scenes: Scene of each pose, from `SCENES`.
        procrustes: Whether each pose is aligned rigidly with scale.

    Returns:
        13 numbers by name, in percent except for the last, 'MPJPE', in mm. PCK and AUC are over
        the first 14 joints, AUC as in the dataset's own script; MPJPE is over all 17.
    """
    if procrustes:
        distances, _ = aligned_distances(pred_mm, true_mm)
    else:
        distances, _ = relative_distances(pred_mm, true_mm, root=ROOT_JOINT)
    limbs = distances[:, :NUM_PCK_JOINTS]

    def pck_of(labels: Sequence[str], label: str) -> float:
        """Returns the PCK of the poses with a label."""
        return metrics.pck(limbs[np.asarray(labels) == label], PCK_THRESHOLD_MM)

    return {
        **{activity: pck_of(activities, activity) for activity in ACTIVITIES},
        **{scene: pck_of(scenes, scene) for scene in SCENES},
        "PCK@150": metrics.pck(limbs, PCK_THRESHOLD_MM),
        "AUC": metrics.auc_3dhp(limbs),
        "MPJPE": float(distances.mean()),
    }


def wacv_numbers(
    pred_mm: np.ndarray, true_mm: np.ndarray, scenes: Sequence[str]
) -> dict[str, float]:
    """Computes the 38 numbers of the WACV 2023 evaluation: for all poses and for outdoor ones.

    Returns:
        The numbers of `metrabs.evaluation.metrics.wacv_metrics` by name, for outdoor scenes with
        ' outdoor' appended. Numbers of one kind are consecutive, as in the original
        implementation.
    """
    is_outdoor = np.asarray(scenes) == OUTDOOR
    of_all = metrics.wacv_metrics(pred_mm, true_mm, ROOT_JOINT)
    outdoor = metrics.wacv_metrics(pred_mm[is_outdoor], true_mm[is_outdoor], ROOT_JOINT)
    names = list(of_all)
    numbers = {}
    for first, last in ((0, 3), (3, 9), (9, 15), (15, 19)):
        numbers.update({name: of_all[name] for name in names[first:last]})
        numbers.update({f"{name} outdoor": outdoor[name] for name in names[first:last]})
    return numbers
