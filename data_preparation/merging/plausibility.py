"""Plausibility of training examples: enough joints inside the box, typical bone lengths.

This finds errors of annotation and reconstruction. Examples are filtered in blocks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from metrabs.data.storage.columns import Rows
from metrabs.geometry import boxes, distortion
from metrabs.skeletons import JointInfo
from metrabs.skeletons.bones import bone_lengths


@dataclasses.dataclass(frozen=True)
class PlausibilityFilter:
    """Criteria of plausibility; the defaults are those of the original merged sets.

    Attributes:
        smallest_ratio, largest_ratio: Admitted ratios of a bone's length to its typical length.
        tolerance_mm: Deviation from the typical length up to which any bone is plausible.
        min_joints_in_box: Minimum number of joints inside the box.
        keeps_surreal: Whether all of SURREAL is plausible.
            Deviation: in the original it is, which keeps examples whose person is outside the
            image.
        keeps_piano1: Whether the Panoptic sequence 161029_piano1 is plausible; it is in the merged
            sets.
        drops_joints: Whether to drop only the joints of bad bones, not the whole example.
    """

    smallest_ratio: float = 0.1
    largest_ratio: float = 3.0
    tolerance_mm: float = 150.0
    min_joints_in_box: int = 4
    keeps_surreal: bool = False
    keeps_piano1: bool = True
    drops_joints: bool = False

    def filtered(self, rows: Rows, joint_info: JointInfo, usual_lengths_mm: np.ndarray) -> Rows:
        """Returns the plausible ones of a block of 3D examples.

        Args:
            rows: the examples.
            joint_info: their joints, with E bones.
            usual_lengths_mm: [E] the mean lengths of the bones.
        """
        coords = rows.dense_coords("world")
        is_bad_bone = self.is_bad_bone(bone_lengths(coords, joint_info), usual_lengths_mm)
        is_kept = joints_in_box(rows, coords) >= self.min_joints_in_box
        if not self.drops_joints:
            is_kept &= ~is_bad_bone.any(axis=1)
        paths = rows.image_paths()
        if not self.keeps_piano1:
            is_kept &= ~_contains(paths, "161029_piano1")
        is_exempt = _contains(paths, "surreal") & self.keeps_surreal
        if self.drops_joints:
            is_bad_joint = _ends_of(is_bad_bone & ~is_exempt[:, np.newaxis], joint_info)
            owners = rows.owners("world_joints")
            rows = rows.with_entries("world", ~is_bad_joint[owners, rows.parts["world_joints"]])
        return rows.take(is_kept | is_exempt)

    def is_bad_bone(self, lengths_mm: np.ndarray, usual_lengths_mm: np.ndarray) -> np.ndarray:
        """Returns which bones [..., E] have implausible lengths; unknown ones (NaN) have not."""
        ratio = lengths_mm * (1 / (usual_lengths_mm + 1e-8))
        is_out_of_range = (ratio < self.smallest_ratio) | (ratio > self.largest_ratio)
        return is_out_of_range & (np.abs(lengths_mm - usual_lengths_mm) > self.tolerance_mm)


def joints_in_box(rows: Rows, world_coords: np.ndarray) -> np.ndarray:
    """Returns how many joints of each 3D example are seen inside its box, int64 [n].

    Args:
        rows: the examples.
        world_coords: [n, J, 3] their `dense_coords`.
    """
    points = _image_points(rows, world_coords)
    return boxes.contains(rows.records["bbox"][:, np.newaxis], points).sum(axis=1)


def _image_points(rows: Rows, world_coords: np.ndarray) -> np.ndarray:
    """Projects the joints of every example with its own camera, [n, J, 2] pixels."""
    position = rows.records["camera_position"][:, np.newaxis].astype(world_coords.dtype)
    relative = (world_coords - position).astype(np.float32)
    in_camera = relative @ rows.records["camera_rotation"].transpose(0, 2, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        normalized = in_camera[..., :2] / in_camera[..., 2:]
    for indices, coefficients in _lenses(rows):
        points = normalized[indices]
        normalized[indices] = distortion.distort(points.reshape(-1, 2), coefficients).reshape(
            points.shape
        )
    intrinsics = rows.records["camera_intrinsics"]
    return normalized @ intrinsics[:, :, :2].transpose(0, 2, 1) + intrinsics[:, np.newaxis, :, 2]


def _lenses(rows: Rows) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns the different distorting lenses: the indices of their examples, coefficients."""
    counts = rows.counts("camera_distortion")
    owners = rows.owners("camera_distortion")
    # Unused places hold NaN, by which lenses with different numbers of coefficients differ.
    table = np.full((len(rows), distortion.NUM_STANDARD_COEFFICIENTS), np.nan, np.float32)
    table[owners, np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]] = rows.parts[
        "camera_distortion"
    ]
    distorted = np.flatnonzero(counts)
    keys = np.ascontiguousarray(table[distorted]).view(f"V{table.itemsize * table.shape[1]}")
    _, first, inverse = np.unique(keys.ravel(), return_index=True, return_inverse=True)
    return [
        (distorted[inverse == group], table[example, : counts[example]])
        for group, example in enumerate(distorted[first])
    ]


def _ends_of(is_bad_bone: np.ndarray, joint_info: JointInfo) -> np.ndarray:
    """Returns which joints [n, J] are ends of bones [n, E] for which this is true."""
    return is_bad_bone @ (joint_info.bone_matrix() != 0)


def _contains(paths: Sequence[str], text: str) -> np.ndarray:
    return np.array([text in path for path in paths], bool)
