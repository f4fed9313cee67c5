"""Numbers of MuPoTS-3D: several people per frame, matched in the image first; 17 joints."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from metrabs.evaluation import metrics
from metrabs.geometry.pose_distances import absolute_distances, relative_distances

ROOT_JOINT = 14
MATCHING_JOINTS = slice(1, 14)
MATCHING_RADIUS_PX = 40.0
PCK_THRESHOLD_MM = 150.0
METRIC_NAMES = (
    "mpjpe14", "mpjpe16", "mpjpe17", "pck_matched", "auc_matched", "pck_all_anno", "auc_all_anno",
)  # fmt: skip
_JOINTS_14 = list(range(14))
_JOINTS_16 = [*_JOINTS_14, 15, 16]
# (child, parent), from the pelvis outwards
_BONES = (
    (15, 14), (1, 15), (0, 1), (16, 1), (2, 1), (3, 2), (4, 3), (5, 1), (6, 5), (7, 6), (8, 14),
    (9, 8), (10, 9), (11, 14), (12, 11), (13, 12),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class People:
    """Annotated or predicted people.

    Attributes:
        sequences: Index of each person's sequence `[n]`, 0 for TS1 and so on.
        frames: Frame number of each person `[n]`.
        poses3d_cam_mm: `[n, 17, 3]`.
        poses2d_px: `[n, 17, 2]`.
    """

    sequences: np.ndarray
    frames: np.ndarray
    poses3d_cam_mm: np.ndarray
    poses2d_px: np.ndarray


def match_people(true: People, pred: People) -> tuple[np.ndarray, np.ndarray]:
    """Matches predicted to annotated people, frame by frame.

    Greedy, in the order of the annotations: each is matched to the unmatched prediction with the
    most joints nearby; the first one if several have as many.

    Returns:
        Indices `[m]` of the matched annotations, and of their predictions `[m]`.
    """
    pairs = []
    for key in dict.fromkeys(zip(true.sequences.tolist(), true.frames.tolist())):
        of_frame_true, of_frame_pred = (
            np.flatnonzero((p.sequences == key[0]) & (p.frames == key[1])) for p in (true, pred)
        )
        free = of_frame_pred.tolist()
        for i in of_frame_true:
            counts = [_num_close_joints(true.poses2d_px[i], pred.poses2d_px[j]) for j in free]
            if max(counts, default=0) > 0:
                pairs.append((i, free.pop(int(np.argmax(counts)))))
    true_indices, pred_indices = np.array(pairs, np.int64).reshape(-1, 2).T
    return true_indices, pred_indices


def rescale_bones(pred_mm: np.ndarray, true_mm: np.ndarray) -> np.ndarray:
    """Scales predicted bones to their true lengths; directions and the pelvis do not change.

    Args:
        pred_mm: Predicted poses `[n, 17, 3]`.
        true_mm: True poses.
    """
    rescaled = np.array(pred_mm, np.float64)
    for child, parent in _BONES:
        bone = pred_mm[:, child] - pred_mm[:, parent]
        true_length, length = (
            np.linalg.norm(vectors, axis=-1, keepdims=True)
            for vectors in (true_mm[:, child] - true_mm[:, parent], bone)
        )
        rescaled[:, child] = rescaled[:, parent] + bone * true_length / length
    return rescaled


def numbers_per_sequence(
    pred_mm: np.ndarray,
    true_mm: np.ndarray,
    sequences: np.ndarray,
    num_annotated: Sequence[int],
    root_relative: bool,
    rescaled: bool,
) -> dict[str, np.ndarray]:
    """Computes the numbers of matched people for each sequence.

    Deviation: in a sequence without any match the percentages of all annotated people are 0; in
    the original implementation they are NaN, as all other metrics are here also.

    Args:
        pred_mm: Predicted poses of the matched people `[m, 17, 3]`, camera space.
        true_mm: Their true poses, metric or universal.
        sequences: Index of the sequence of each of them `[m]`, counted from 0.
        num_annotated: Number of annotated people of each sequence, matched or not.
        root_relative: Whether poses are relative to the pelvis, or absolute.
        rescaled: Whether predicted bones are scaled to their true lengths first.

    Returns:
        {name from `METRIC_NAMES`: one value per sequence, followed by their mean}: mean distances
        over 14, 16 and 17 joints (mm), PCK@150 and AUC of 14 joints (percent) of the matched
        people, and the same percentages of all annotated people.
    """
    if rescaled:
        pred_mm = rescale_bones(pred_mm, true_mm)
    if root_relative:
        distances, _ = relative_distances(pred_mm, true_mm, root=ROOT_JOINT)
    else:
        distances, _ = absolute_distances(pred_mm, true_mm)
    rows = [
        _numbers(distances[sequences == number], num) for number, num in enumerate(num_annotated)
    ]
    table = np.array([[row[name] for row in rows] for name in METRIC_NAMES])
    return dict(zip(METRIC_NAMES, np.column_stack([table, table.mean(axis=1)])))


def _num_close_joints(true_px: np.ndarray, pred_px: np.ndarray) -> int:
    true_px, pred_px = true_px[MATCHING_JOINTS], pred_px[MATCHING_JOINTS]
    is_close = np.abs(true_px - pred_px).max(axis=-1) < MATCHING_RADIUS_PX
    # Joints that are not annotated are at (0, 0).
    is_known = np.any(true_px != 0, axis=-1) & np.any(pred_px != 0, axis=-1)
    return int(np.sum(is_close & is_known))


def _numbers(distances: np.ndarray, num_annotated: int) -> dict[str, float]:
    if not len(distances):
        return {name: 0.0 if name.endswith("all_anno") else np.nan for name in METRIC_NAMES}
    limbs = distances[:, _JOINTS_14]
    recall = len(distances) / num_annotated
    pck, auc = metrics.pck(limbs, PCK_THRESHOLD_MM), metrics.auc_3dhp(limbs)
    return {
        "mpjpe14": float(limbs.mean()),
        "mpjpe16": float(distances[:, _JOINTS_16].mean()),
        "mpjpe17": float(distances.mean()),
        "pck_matched": pck,
        "auc_matched": auc,
        "pck_all_anno": recall * pck,
        "auc_all_anno": recall * auc,
    }
