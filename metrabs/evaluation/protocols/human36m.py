"""Numbers of Human3.6M: subjects 9 and 11, every 64th frame, 17 joints relative to the pelvis."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from metrabs.datasets.h36m import activity_name
from metrabs.errors import UserError
from metrabs.geometry.pose_distances import aligned_distances, relative_distances

ACTIVITIES = (
    "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting",
    "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether",
)  # fmt: skip
FRAME_STEP = 64
ROOT_JOINT = 0
# Indices of the 17 joints in our skeleton h36m_25.
POSITIONS_AMONG_25 = (24, 0, 1, 2, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 19, 20, 21)


def activity_of(image_path: str) -> str:
    """Returns the activity of a frame, such as 'SittingDown' for
    'h36m/S9/Images/SittingDown 1.60457274/frame_000064.jpg'.
    """
    return activity_name(pathlib.PurePosixPath(image_path).parent.name.split(".")[0])


def error_per_activity(
    pred_mm: np.ndarray,
    true_mm: np.ndarray,
    activities: Sequence[str],
    root: int = ROOT_JOINT,
    procrustes: bool = False,
) -> dict[str, float]:
    """Computes the mean joint distance of each activity, and over all poses.

    Args:
        pred_mm: Predicted poses `[n, 17, 3]`, mm.
        true_mm: True poses, same shape and frame.
        activities: Activity of each pose.
        root: Index of the pelvis: 0, or -1 where it is the last joint.
        procrustes: Whether each pose is aligned rigidly with scale (protocol "PA", or P2).

    Returns:
        {activity: mm} in the usual order, NaN for activities without poses; 'Average' is the mean
        over all poses (not over the activities).

    Raises:
        UserError: an activity is not one of the fifteen.
    """
    unknown = sorted(set(activities) - set(ACTIVITIES))
    if unknown:
        raise UserError(
            f"'{unknown[0]}' is not an activity of Human3.6M ({', '.join(ACTIVITIES)})."
        )
    if procrustes:
        distances, _ = aligned_distances(pred_mm, true_mm)
    else:
        distances, _ = relative_distances(pred_mm, true_mm, root=root)
    labels = np.asarray(activities)
    errors = {
        activity: float(distances[labels == activity].mean()) if activity in labels else np.nan
        for activity in ACTIVITIES
    }
    return {**errors, "Average": float(distances.mean())}
