"""A miniature 3DPW: a sequence in each split, with one or two people."""

from __future__ import annotations

import pathlib
import pickle

import numpy as np

from metrabs.geometry.camera import Camera
from tests.data_preparation.fakes import toolkit

IMSIZE_WH = (270, 480)
NUM_FRAMES = 3
NUM_PEOPLE = {"train": 2, "validation": 1, "test": 1}
SMPL_NAMES = (
    "pelv lhip rhip bell lkne rkne spin lank rank thor ltoe rtoe neck lcla rcla head lsho rsho "
    "lelb relb lwri rwri lhan rhan"
).split()
MARKERS = {name: i for i, name in enumerate(SMPL_NAMES)}


def camera(frame: int) -> Camera:
    """Returns the hand-held camera of a frame."""
    position = (200 + 150 * frame, 1400, 3600)
    return toolkit.look_at_camera(position, (0, 1000, 0), IMSIZE_WH, 400, (0, 1, 0))


def joints_mm(person: int, frame: int) -> np.ndarray:
    """Returns [24, 3] joints in the world, y up; the second person stands further back."""
    pose = toolkit.marker_pose(24, 1500 - 200 * person) * np.array([1, -1, -1])
    return pose + np.array([20.0 * frame + 60 * person, 950, -600 * person])


def make_tdpw(root: pathlib.Path) -> None:
    """Writes the dataset into `root/3dpw`.

    In 'train' the camera is unknown in frame 1 and person 1 is not visible in frame 2. Only one
    person is drawn into an image: person 1 in frame 0 of 'train', person 0 elsewhere.
    """
    for split, num_people in NUM_PEOPLE.items():
        name = f"walk_{split}_00"
        content = _content(name, num_people)
        if split == "train":
            for person in range(num_people):
                content["campose_valid"][person][1] = 0
            content["poses2d"][1][2] = 0
        path = root / "3dpw" / "sequenceFiles" / split / f"{name}.pkl"
        path.parent.mkdir(parents=True)
        path.write_bytes(pickle.dumps(content, protocol=2))
        for frame in range(NUM_FRAMES):
            drawn = joints_mm(drawn_person(split, frame), frame)
            image = toolkit.draw_markers(
                toolkit.blank_image(IMSIZE_WH), toolkit.project(drawn, camera(frame))
            )
            toolkit.write_image(
                root / "3dpw" / "imageFiles" / name / f"image_{frame:05d}.jpg", image
            )


def drawn_person(split: str, frame: int) -> int:
    """Returns whom an image shows."""
    return 1 if (split, frame) == ("train", 0) else 0


def _content(name: str, num_people: int) -> dict:
    joints_m = [
        np.stack([joints_mm(person, frame) for frame in range(NUM_FRAMES)]).reshape(-1, 72) / 1000
        for person in range(num_people)
    ]
    extrinsics = np.stack(
        [camera(frame).get_extrinsic_matrix() for frame in range(NUM_FRAMES)]
    ).astype(np.float64)
    extrinsics[:, :3, 3] /= 1000
    return {
        "sequence": name,
        "genders": ["m"] * num_people,
        "betas": [np.zeros(10)] * num_people,
        "jointPositions": joints_m,
        "poses2d": [np.ones((NUM_FRAMES, 3, 18)) for _ in range(num_people)],
        "campose_valid": [np.ones(NUM_FRAMES, int) for _ in range(num_people)],
        "cam_poses": extrinsics,
        "cam_intrinsics": camera(0).intrinsic_matrix.astype(np.float64),
    }
