"""Raw files of MPI-INF-3DHP's test set; its cameras are given in the dataset's documentation."""

from __future__ import annotations

import pathlib
from typing import NamedTuple, Optional

import numpy as np

from metrabs.datasets.readers import open_hdf5, reading
from metrabs.geometry.camera import Camera

FOLDER = "3dhp"
ACTIVITIES = (
    "Stand/Walk", "Exercise", "Sit on Chair", "Reach/Crouch", "On Floor", "Sports", "Misc.",
)  # fmt: skip
SCENES = ("green-screen", "no-green-screen", "outdoor")
_ACTIVITY_OF_CODE = dict(enumerate(ACTIVITIES, start=1))
_PELVIS_LAST = [*range(14), 15, 16, 14]


class TestFrame(NamedTuple):
    """An annotated frame of a test sequence.

    Attributes:
        number: Number of the image, from 1.
        joints_mm: Metric joints `[17, 3]` in camera space, in the order of the training set.
        universal_mm: The same joints scaled to a skeleton of standard height.
        activity: One of ACTIVITIES.
    """

    number: int
    joints_mm: np.ndarray
    universal_mm: np.ndarray
    activity: str


def read_test_frames(path: pathlib.Path) -> list[TestFrame]:
    """Reads the valid frames of an `annot_data.mat`.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    names = ("annot3", "univ_annot3", "valid_frame", "activity_annotation")
    with open_hdf5(path, *names) as file:
        joints, universal, is_valid, activities = (np.asarray(file[name]) for name in names)
    with reading(path, "a test annotation of 17 joints per frame"):
        joints, universal = (
            poses.reshape(-1, 17, 3)[:, _PELVIS_LAST] for poses in (joints, universal)
        )
        return [
            TestFrame(
                int(i) + 1, joints[i], universal[i], _ACTIVITY_OF_CODE[int(activities.flat[i])]
            )
            for i in np.flatnonzero(is_valid)
        ]


def scene_of(sequence: int) -> str:
    """Returns the scene of a test sequence (from 1); there are two sequences of each."""
    return SCENES[(sequence - 1) // 2]


def camera_of(sequence: int, aspect_scales_center: bool = False) -> Camera:
    """Returns the camera of a test sequence.

    Args:
        sequence: Number of the sequence, from 1.
        aspect_scales_center: Whether the pixel aspect also scales the principal point.
    """
    make_camera = _indoor_camera if sequence <= 4 else _outdoor_camera
    return make_camera(aspect_scales_center)


def _indoor_camera(aspect_scales_center: bool) -> Camera:
    return _camera_of_sensor(
        sensor_mm=(10, 10),
        imsize_wh=(2048, 2048),
        focal_mm=7.32506,
        aspect=1.00044,
        offset_mm=(-0.0322884, 0.0929296),
        distortion=None,
        origin_mm=(3427.28, 1387.86, 309.42),
        up=(-0.208215, 0.976233, 0.06014),
        right=(0.000575281, 0.0616098, -0.9981),
        aspect_scales_center=aspect_scales_center,
    )


def _outdoor_camera(aspect_scales_center: bool) -> Camera:
    return _camera_of_sensor(
        sensor_mm=(10, 5.625),
        imsize_wh=(1920, 1080),
        focal_mm=8.770747185,
        aspect=0.993236423,
        offset_mm=(-0.104908645, 0.104899704),
        distortion=(-0.276859611, 0.131125256, -0.000360494, -0.001149441, -0.049318332),
        origin_mm=(-2104.3074, 1038.6707, -4596.6367),
        up=(0.025272345, 0.995038509, 0.096227370),
        right=(-0.939647257, -0.009210289, 0.342020929),
        aspect_scales_center=aspect_scales_center,
    )


def _camera_of_sensor(
    sensor_mm: tuple,
    imsize_wh: tuple,
    focal_mm: float,
    aspect: float,
    offset_mm: tuple,
    distortion: Optional[tuple],
    origin_mm: tuple,
    up: tuple,
    right: tuple,
    aspect_scales_center: bool,
) -> Camera:
    """Builds a camera from the quantities that the dataset gives; all lengths in mm.

    Deviation: the pixel aspect scales the focal length only. The original implementation also
    scales the principal point by it, which the 2D annotations contradict (3.85 px in TS5 and TS6).
    """
    px_per_mm = np.array(imsize_wh) / sensor_mm
    focal_px = focal_mm * px_per_mm * (1, aspect)
    center_px = (np.array(sensor_mm) / 2 + offset_mm) * px_per_mm
    if aspect_scales_center:
        center_px[1] *= aspect
    intrinsics = [[focal_px[0], 0, center_px[0]], [0, focal_px[1], center_px[1]], [0, 0, 1]]
    return Camera(
        optical_center=origin_mm,
        rot_world_to_cam=np.array([right, -np.array(up), np.cross(up, right)]),
        intrinsic_matrix=intrinsics,
        distortion_coeffs=distortion,
        world_up=(0, 1, 0),
    )
