"""A miniature MuPoTS-3D: twenty sequences of two small frames; TS1 has two people."""

from __future__ import annotations

import pathlib

import numpy as np
import scipy.io

from metrabs.geometry.camera import Camera
from tests.data_preparation.fakes import toolkit

IMSIZE_WH = (160, 120)
NUM_FRAMES = 2
NUM_SEQUENCES = 20
INVALID = ("TS1", 1, 1)  # sequence, frame, person


def camera(sequence: str) -> Camera:
    """Returns the camera of a sequence; all differ."""
    number = int(sequence[2:])
    return Camera(intrinsic_matrix=[[150 + number, 0, 78], [0, 152 + number, 61], [0, 0, 1]])


def num_people(sequence: str) -> int:
    """Returns how many people are annotated."""
    return 2 if sequence == "TS1" else 1


def joints_mm(sequence: str, frame: int, person: int) -> np.ndarray:
    """Returns [17, 3] joints in camera space."""
    pose = toolkit.marker_pose(17) + np.array([-1000.0 + 1700 * person, 50 * frame, 3500])
    return pose + np.array([10.0 * int(sequence[2:]), 0, 0])


def make_mupots(root: pathlib.Path) -> None:
    """Writes the dataset into `root/mupots`."""
    for number in range(1, NUM_SEQUENCES + 1):
        _write_sequence(root / "mupots" / f"TS{number}", f"TS{number}")


def _write_sequence(folder: pathlib.Path, sequence: str) -> None:
    people = num_people(sequence)
    annotations = np.empty((NUM_FRAMES, people), object)
    for frame in range(NUM_FRAMES):
        image = toolkit.blank_image(IMSIZE_WH)
        for person in range(people):
            joints = joints_mm(sequence, frame, person)
            pixels = toolkit.project(joints, camera(sequence))
            toolkit.draw_markers(image, pixels, radius_px=3)
            is_valid = (sequence, frame, person) != INVALID
            annotations[frame, person] = {
                "annot2": pixels.T,
                "annot3": joints.T if is_valid else np.zeros([3, 17]),
                "univ_annot3": 0.9 * joints.T,
                "isValidFrame": int(is_valid),
            }
        toolkit.write_image(folder / f"img_{frame:06d}.jpg", image)
    scipy.io.savemat(folder / "annot.mat", {"annotations": annotations})
