"""A miniature Human3.6M: two subjects, two cameras, small videos of coloured dots."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Optional

import cdflib.cdfwrite
import h5py
import numpy as np

from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from tests.data_preparation.fakes import toolkit

CAMERAS = ("54138969", "58860488")
NUM_FRAMES = 140
NUM_STATIC = 70
_IMSIZE_WH = (320, 320)
# Joint -> its place among the 32 of the files, by the documentation of the dataset.
_DRAWN = dict(
    pelv=0,
    rhip=1,
    rkne=2,
    rank=3,
    rfoo=4,
    rtoe=5,
    lhip=6,
    lkne=7,
    lank=8,
    lfoo=9,
    ltoe=10,
    spin=12,
    neck=13,
    head=14,
    htop=15,
    lsho=17,
    lelb=18,
    lwri=19,
    lthu=21,
    lfin=22,
    rsho=25,
    relb=26,
    rwri=27,
    rthu=29,
    rfin=30,
)
MARKERS = {name: i for i, name in enumerate(_DRAWN)}
MARKERS["tors"] = MARKERS["spin"]
ALL_CAMERAS = ("54138969", "55011271", "58860488", "60457274")
_ACTIVITIES = {1: ["Walking"], 9: ["Greeting", "Greeting 1"]}


def source_poses() -> np.ndarray:
    """Returns [140, 32, 3] joints, world mm: at rest, then moving by 8 mm per frame to the right.

    So every fifth frame is 40 mm further, and every third of these is kept.
    """
    pose = toolkit.marker_pose(32) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up
    for copy, original in ((11, 0), (16, 13), (20, 19), (23, 22), (24, 13), (28, 27), (31, 30)):
        pose[copy] = pose[original]
    movement = np.maximum(np.arange(NUM_FRAMES) - NUM_STATIC, 0)[:, np.newaxis, np.newaxis]
    return (pose + movement * np.array([8, 0, 0]) + np.array([0, 0, 900])).astype(np.float32)


def make_h36m(
    root: pathlib.Path,
    activities: Optional[Mapping[int, Sequence[str]]] = None,
    camera_names: Sequence[str] = CAMERAS,
) -> None:
    """Writes the dataset into `root/h36m`; activities are by subject."""
    cameras = write_metadata(root / "h36m" / "Release-v1.2" / "metadata.xml")
    poses = source_poses()
    for subject, of_subject in (activities or _ACTIVITIES).items():
        folder = root / "h36m" / f"S{subject}"
        for activity in of_subject:
            _write_poses(folder / "MyPoseFeatures" / "D3_Positions" / f"{activity}.cdf", poses)
            for name in camera_names:
                _write_view(folder, f"{activity}.{name}", poses, cameras[name])
        (folder / "Videos" / f"_ALL.{CAMERAS[0]}.mp4").touch()


def write_metadata(path: pathlib.Path) -> dict[str, Camera]:
    """Writes the cameras, the same for all subjects; returns them by name."""
    distortion = [-0.2, 0.24, -0.0009, -0.0016, -0.002]  # k1, k2, p1, p2, k3
    positions = [(600, 5200, 1400), (500, 5400, 1500), (-1100, 5000, 1600), (-900, 5300, 1300)]
    extrinsics, intrinsics, cameras = np.zeros((4, 11, 6)), np.zeros((4, 9)), {}
    for i, position in enumerate(positions):
        camera = toolkit.look_at_camera(
            position, (200, 0, 900), _IMSIZE_WH, 500, (0, 0, 1), distortion
        )
        k1, k2, p1, p2, k3 = distortion
        matrix = camera.intrinsic_matrix
        intrinsics[i] = (
            matrix[0, 0],
            matrix[1, 1],
            matrix[0, 2],
            matrix[1, 2],
            k1,
            k2,
            k3,
            p1,
            p2,
        )
        extrinsics[i] = [*_angles(camera.R), *position]
        cameras[ALL_CAMERAS[i]] = camera
    numbers = " ".join(f"{n:.12g}" for n in [*extrinsics.ravel(), *intrinsics.ravel()])
    path.parent.mkdir(parents=True)
    path.write_text(f"<root><w0>[{numbers}]</w0><other>1</other></root>")
    return cameras


def _angles(rotation: np.ndarray) -> tuple[float, float, float]:
    """Returns a, b, c with rotation = Rx(a) Ry(b) Rz(c)."""
    r = rotation.astype(np.float64)
    return (
        float(np.arctan2(-r[1, 2], r[2, 2])),
        float(np.arcsin(r[0, 2])),
        float(np.arctan2(-r[0, 1], r[0, 0])),
    )


def _write_poses(path: pathlib.Path, poses: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = cdflib.cdfwrite.CDF(path, cdf_spec={"Encoding": 6})
    file.write_var(
        {
            "Variable": "Pose",
            "Data_Type": 21,
            "Num_Elements": 1,
            "Rec_Vary": True,
            "Dim_Sizes": [len(poses), 96],
        },
        var_data=poses.reshape(1, len(poses), 96),
    )
    file.close()


def _write_view(folder: pathlib.Path, name: str, poses: np.ndarray, camera: Camera) -> None:
    joints_px = toolkit.project(poses, camera)
    images = (
        toolkit.draw_markers(toolkit.blank_image(_IMSIZE_WH), pixels[list(_DRAWN.values())])
        for pixels in joints_px
    )
    toolkit.write_video(folder / "Videos" / f"{name}.mp4", images)
    path = folder / "MySegmentsMat" / "ground_truth_bb" / f"{name}.mat"
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        references = file.create_dataset("Masks", (len(poses), 1), h5py.ref_dtype)
        for i, pixels in enumerate(joints_px):
            mask = np.zeros(_IMSIZE_WH[::-1], np.uint8)
            left, top, right, bottom = box_of(pixels)
            mask[top:bottom, left:right] = 1
            references[i, 0] = file.create_dataset(f"#refs#/{i}", data=mask.T).ref


def box_of(joints_px: np.ndarray) -> tuple[int, int, int, int]:
    """Returns left, top, right, bottom (half open) of the box that is published for a pose."""
    box = boxes.expand(boxes.bounding_box(joints_px), 1.1)
    left, top = np.maximum(np.round(box[:2]).astype(int), 0)
    right, bottom = np.minimum(np.round(box[:2] + box[2:]).astype(int), _IMSIZE_WH)
    return left, top, right, bottom
