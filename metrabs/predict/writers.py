"""Files of poses: JSON for programs of any kind, CSV for tables, NPZ for NumPy.

Each file holds joint names, units (mm, px) and the frame of the 3D poses. `camera`: origin in
the camera, x right, y down, z forward. `world`: as defined by the given extrinsics.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any, Callable, Optional

import numpy as np

from metrabs.estimator.client import FramePoses
from metrabs.files import atomic_path
from metrabs.predict.cameras import CameraChoice
from metrabs.skeletons.tables import Skeleton

FORMAT_VERSION = 1
_DECIMALS = 3
_AXES = {
    "camera": "origin in the camera centre; x right, y down, z forward",
    "world": "as defined by the extrinsic matrix (world to camera)",
}


@dataclasses.dataclass(frozen=True)
class PoseRecord:
    """All poses of one image or video, with all that is needed to interpret them.

    Attributes:
        source: Name of the image or video.
        model: Name of the model, as given by the user.
        skeleton_name: Name of the output format.
        skeleton: Names and edges of the joints.
        camera: Known properties of the camera.
        image_size_wh: Width and height in pixels.
        fps: Frames per second; None for images.
        frame_indices: Index of each of `frames` in the video.
        frames: People of each frame.
    """

    source: str
    model: str
    skeleton_name: str
    skeleton: Skeleton
    camera: CameraChoice
    image_size_wh: tuple[int, int]
    fps: Optional[float]
    frame_indices: Sequence[int]
    frames: Sequence[FramePoses]

    def time_s(self, index: int) -> Optional[float]:
        """Returns the seconds from the start of the video; None for images."""
        return None if self.fps is None else index / self.fps

    @property
    def intrinsic_matrix(self) -> np.ndarray:
        """`[3, 3]`, as the model used it."""
        return self.camera.intrinsics_for(self.image_size_wh[::-1])


def write_json(record: PoseRecord, path: pathlib.Path) -> None:
    """Writes one object; its key `frames` holds a list of frames with a list of people each."""
    content = {
        "format": "metrabs-poses",
        "version": FORMAT_VERSION,
        **_description(record),
        "frames": [
            {
                "index": int(index),
                "time_s": record.time_s(index),
                "people": [_person(poses, i) for i in range(poses.num_people)],
            }
            for index, poses in zip(record.frame_indices, record.frames)
        ],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def write_csv(record: PoseRecord, path: pathlib.Path) -> None:
    """Writes one row per joint of each person; column names contain units and frame."""
    frame = record.camera.frame
    header = [
        "frame",
        "time_s",
        "person",
        "score",
        "joint",
        f"x_{frame}_mm",
        f"y_{frame}_mm",
        f"z_{frame}_mm",
        "x_image_px",
        "y_image_px",
    ]
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        for index, poses in zip(record.frame_indices, record.frames):
            for person in range(poses.num_people):
                start = [index, record.time_s(index), person, _rounded(poses.scores[person])]
                for joint, name in enumerate(record.skeleton.names):
                    numbers = [*poses.poses3d_mm[person, joint], *poses.poses2d_px[person, joint]]
                    writer.writerow([*start, name, *map(_rounded, numbers)])


def write_npz(record: PoseRecord, path: pathlib.Path) -> None:
    """Writes arrays of the n people of all frames, concatenated.

    `frame_index [n]`, `boxes_ltwh_px [n, 4]`, `scores [n]`, `poses3d_mm [n, J, 3]`,
    `poses2d_px [n, J, 2]`, `joint_names [J]`, `joint_edges [E, 2]`, `intrinsic_matrix`,
    `distortion_coeffs`, `extrinsic_matrix`, and `description`, a JSON string with the rest.
    """
    num_joints = len(record.skeleton.names)
    counts = [poses.num_people for poses in record.frames]
    empty = FramePoses(
        np.zeros([0, 4]), np.zeros(0), np.zeros([0, num_joints, 3]), np.zeros([0, num_joints, 2])
    )
    arrays = {
        field.name: np.concatenate(
            [getattr(poses, field.name) for poses in (empty, *record.frames)]
        ).astype(np.float32)
        for field in dataclasses.fields(FramePoses)
    }
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary,
            frame_index=np.repeat(np.asarray(record.frame_indices, np.int64), counts),
            joint_names=np.array(record.skeleton.names),
            joint_edges=np.array(record.skeleton.edges, np.int64).reshape(-1, 2),
            intrinsic_matrix=record.intrinsic_matrix,
            distortion_coeffs=record.camera.distortion_coeffs,
            extrinsic_matrix=record.camera.world_to_camera,
            description=json.dumps(_description(record)),
            **arrays,
        )


WRITERS: dict[str, Callable[[PoseRecord, pathlib.Path], None]] = {
    "json": write_json, "csv": write_csv, "npz": write_npz,
}  # fmt: skip


def _description(record: PoseRecord) -> dict[str, Any]:
    frame = record.camera.frame
    return {
        "source": record.source,
        "model": record.model,
        "image_size_wh_px": list(record.image_size_wh),
        "fps": record.fps,
        "num_frames": len(record.frames),
        "skeleton": record.skeleton_name,
        "joint_names": list(record.skeleton.names),
        "joint_edges": [[int(a), int(b)] for a, b in record.skeleton.edges],
        "units": {"poses3d": "mm", "poses2d": "px", "boxes": "px", "time": "s"},
        "frame": frame,
        "axes": _AXES[frame],
        "camera": {
            "intrinsic_matrix_px": record.intrinsic_matrix.tolist(),
            "intrinsics_source": "given"
            if record.camera.intrinsic_matrix is not None
            else f"field of view of {record.camera.fov_degrees:g} degrees",
            "distortion_coeffs": record.camera.distortion_coeffs.tolist(),
            "extrinsic_matrix_mm": record.camera.world_to_camera.tolist(),
            "world_up": list(record.camera.world_up),
        },
    }


def _person(poses: FramePoses, i: int) -> dict[str, Any]:
    return {
        "box_ltwh_px": _rounded_list(poses.boxes_ltwh_px[i]),
        "score": _rounded(poses.scores[i]),
        "pose3d_mm": [_rounded_list(joint) for joint in poses.poses3d_mm[i]],
        "pose2d_px": [_rounded_list(joint) for joint in poses.poses2d_px[i]],
    }


def _rounded(value: Any) -> Optional[float]:
    """Returns a number rounded to micrometres; None for NaN and infinity, unknown to JSON."""
    return round(float(value), _DECIMALS) if np.isfinite(value) else None


def _rounded_list(values: Any) -> list[Optional[float]]:
    return [_rounded(value) for value in values]
