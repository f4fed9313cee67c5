"""Raw files of 3DPW: one annotation file per video."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from metrabs.datasets.readers import read_pickle, reading

FOLDER = "3dpw"
SPLITS = ("train", "validation", "test")
NUM_JOINTS = 24
_ARRAYS = ("poses2d", "campose_valid", "cam_poses", "cam_intrinsics")


@dataclasses.dataclass(frozen=True)
class AnnotatedVideo:
    """Annotations of a video with `p` people and `n` frames.

    Attributes:
        joints_world_mm: `[p, n, 24, 3]`, SMPL's joints in its order (pelvis first).
        poses2d_px: `[p, n, 3, 18]`, x, y and confidence of detected joints; all zero where the
            person is not visible.
        has_camera_pose: bool `[p, n]`, whether the pose of the camera is reliable.
        camera_poses: `[n, 4, 4]`, from world to camera space; translations in metres.
        intrinsic_matrix: `[3, 3]`.
    """

    joints_world_mm: np.ndarray
    poses2d_px: np.ndarray
    has_camera_pose: np.ndarray
    camera_poses: np.ndarray
    intrinsic_matrix: np.ndarray

    @property
    def is_visible(self) -> np.ndarray:
        """Whether a person is visible in a frame, bool `[p, n]`."""
        return self.poses2d_px.any(axis=(2, 3))

    @property
    def joints_cam_mm(self) -> np.ndarray:
        """Joints in camera space, `[p, n, 24, 3]`."""
        rotations, translations_m = self.camera_poses[:, :3, :3], self.camera_poses[:, :3, 3]
        rotated = np.einsum("fij,pfkj->pfki", rotations, self.joints_world_mm)
        return rotated + translations_m[np.newaxis, :, np.newaxis] * 1000


def list_videos(folder: pathlib.Path, split: str) -> list[str]:
    """Returns the names of the videos of an official split, sorted.

    Args:
        folder: Folder of the dataset.
        split: One of SPLITS.
    """
    return sorted(path.stem for path in (folder / "sequenceFiles" / split).glob("*.pkl"))


def read_video(folder: pathlib.Path, split: str, name: str) -> AnnotatedVideo:
    """Reads the annotations of a video.

    Args:
        folder: Folder of the dataset.
        split: One of SPLITS.
        name: Name of the video.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    path = folder / "sequenceFiles" / split / f"{name}.pkl"
    content = read_pickle(path)
    with reading(path, f"a 3DPW annotation file with jointPositions, {', '.join(_ARRAYS)}"):
        joints_m = np.asarray(content["jointPositions"], np.float64)
        poses2d, is_valid, poses, intrinsics = (
            np.asarray(content[name], np.float64) for name in _ARRAYS
        )
        return AnnotatedVideo(
            joints_world_mm=joints_m.reshape(*is_valid.shape, NUM_JOINTS, 3) * 1000,
            poses2d_px=poses2d,
            has_camera_pose=is_valid > 0,
            camera_poses=poses,
            intrinsic_matrix=intrinsics,
        )
