"""Raw files of Human3.6M: motion capture, cameras and boxes, as downloaded."""

from __future__ import annotations

import functools
import pathlib
import xml.etree.ElementTree as ElementTree
from typing import NamedTuple

import cv2
import numpy as np

from metrabs.datasets.readers import open_hdf5, read_cdf, reading
from metrabs.files import atomic_path
from metrabs.geometry.camera import Camera

FOLDER = "h36m"
CAMERA_NAMES = ("54138969", "55011271", "58860488", "60457274")
_NUM_CAMERAS, _NUM_SUBJECTS = 4, 11
_NUM_EXTRINSIC = _NUM_CAMERAS * _NUM_SUBJECTS * 6
_NUM_SOURCE_JOINTS = 32
_SOURCE_INDICES = [*range(1, 11), *range(12, 16), 17, 18, 19, 21, 22, 25, 26, 27, 29, 30, 0]
_OTHER_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}  # in some downloads


class Recording(NamedTuple):
    """A video: what one camera saw of one activity.

    Attributes:
        subject: Number of the subject, from 1.
        activity: Name in the file names, such as 'Waiting 1'.
        camera: One of CAMERA_NAMES.
    """

    subject: int
    activity: str
    camera: str

    def __str__(self) -> str:
        return f"S{self.subject}/{self.activity}.{self.camera}"

    @property
    def activity_name(self) -> str:
        """Name of the activity, the same for both takes of a subject, such as 'Waiting'."""
        return activity_name(self.activity)

    def image_path(self, frame: int) -> str:
        """Returns the path of an extracted frame (from 0), relative to the dataset's folder."""
        folder = f"S{self.subject}/Images/{self.activity}.{self.camera}"
        return f"{folder}/frame_{frame:06d}.jpg"

    def file(self, folder: pathlib.Path, kind: str, extension: str) -> pathlib.Path:
        """Returns the path of a file of this recording.

        Args:
            folder: Folder of the dataset.
            kind: Kind of file: the subfolder, such as 'Videos'.
            extension: File name extension without the dot.
        """
        name = f"{self.activity}.{self.camera}.{extension}"
        return folder / f"S{self.subject}" / kind / name


def activity_name(activity: str) -> str:
    """Returns the name of an activity in tables of results, such as 'Photo' for 'TakingPhoto 1'.

    Args:
        activity: Name in the file names.
    """
    name = activity.split(" ")[0]
    return _OTHER_NAMES.get(name, name)


def read_poses(folder: pathlib.Path, subject: int, activity: str) -> np.ndarray:
    """Reads the poses of all frames of an activity.

    Args:
        folder: Folder of the dataset.
        subject: Number of the subject, from 1.
        activity: Name in the file names, such as 'Waiting 1'.

    Returns:
        float32 `[n, 25, 3]` in world space, mm.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    path = pose_folder(folder, subject) / f"{activity}.cdf"
    numbers = read_cdf(path, "Pose")
    with reading(path, "a file of 32 joints per frame"):
        poses_mm = numbers.reshape(-1, _NUM_SOURCE_JOINTS, 3)
    return poses_mm[:, _SOURCE_INDICES].astype(np.float32)


def pose_folder(folder: pathlib.Path, subject: int) -> pathlib.Path:
    """Returns the folder with the pose files of a subject (from 1)."""
    return folder / f"S{subject}" / "MyPoseFeatures" / "D3_Positions"


def read_camera(folder: pathlib.Path, recording: Recording) -> Camera:
    """Reads the camera of a recording; do not change it.

    Args:
        folder: Folder of the dataset.
        recording: The recording.

    Raises:
        UserError: the metadata is missing or is not what is expected.
    """
    cameras = read_cameras(folder / "Release-v1.2" / "metadata.xml")
    return cameras[recording.subject - 1][CAMERA_NAMES.index(recording.camera)]


@functools.lru_cache(maxsize=2)
def read_cameras(path: pathlib.Path) -> list[list[Camera]]:
    """Reads `metadata.xml`.

    Returns:
        The cameras by subject (its number minus 1) and index in CAMERA_NAMES. Do not change them.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    with reading(path, "Human3.6M's metadata with 300 camera parameters in the element w0"):
        text = ElementTree.parse(path).getroot().findtext(".//w0") or ""
        numbers = np.array(text.strip("[] \n").split(), np.float64)
        extrinsics = numbers[:_NUM_EXTRINSIC].reshape(_NUM_CAMERAS, _NUM_SUBJECTS, 6)
        intrinsics = numbers[_NUM_EXTRINSIC:].reshape(_NUM_CAMERAS, 9)
    return [
        [_camera(*numbers) for numbers in zip(extrinsics[:, subject], intrinsics)]
        for subject in range(_NUM_SUBJECTS)
    ]


def read_boxes(folder: pathlib.Path, recording: Recording) -> np.ndarray:
    """Reads the published boxes of all frames, float32 `[n, 4]`: left, top, width, height.

    They are published as one full-size mask per frame, which takes a while to read. The result is
    therefore kept in the subject's folder `BBoxes`.

    Args:
        folder: Folder of the dataset.
        recording: The recording.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    path = recording.file(folder, "BBoxes", "npy")
    if path.exists():
        with reading(path, "an array of boxes"):
            return np.load(path)
    mask_path = recording.file(folder, "MySegmentsMat/ground_truth_bb", "mat")
    with open_hdf5(mask_path, "Masks") as file:
        # MATLAB's arrays are stored with their axes reversed.
        found = [_box_of_mask(file[reference][()].T) for reference in file["Masks"][:, 0]]
    boxes_px = np.array(found, np.float32)
    with atomic_path(path) as temporary:
        np.save(temporary, boxes_px)
    return boxes_px


def _box_of_mask(mask: np.ndarray) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return 0, 0, 0, 0
    return (columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)


def _camera(extrinsics: np.ndarray, intrinsics: np.ndarray) -> Camera:
    """Builds a camera from angles about x, y, z and a position in mm; fx, fy, cx, cy, lens."""
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = intrinsics
    about_x, about_y, about_z = (
        cv2.Rodrigues(angle * axis)[0] for angle, axis in zip(extrinsics[:3], np.eye(3))
    )
    return Camera(
        optical_center=extrinsics[3:],
        rot_world_to_cam=about_x @ about_y @ about_z,
        intrinsic_matrix=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        distortion_coeffs=[k1, k2, p1, p2, k3],
        world_up=(0, 0, 1),
    )
