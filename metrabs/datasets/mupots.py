"""Raw files of MuPoTS-3D: annotations of several people, from which cameras are computed."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np

from metrabs.datasets.readers import read_mat, reading
from metrabs.errors import UserError
from metrabs.geometry.camera import Camera

FOLDER = "mupots"
SEQUENCES = tuple(f"TS{number}" for number in range(1, 21))


class Person(NamedTuple):
    """An annotated person in one frame.

    Attributes:
        frame: Number of the image, from 0.
        joints_px: Joints in the image, `[17, 2]`.
        joints_mm: Metric joints in camera space, `[17, 3]`.
        universal_mm: The same, scaled to a skeleton of standard height.
        is_valid: Whether the person is evaluated.
    """

    frame: int
    joints_px: np.ndarray
    joints_mm: np.ndarray
    universal_mm: np.ndarray
    is_valid: bool


def read_people(path: pathlib.Path) -> list[Person]:
    """Reads an `annot.mat`: all people, frame by frame.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    annotations = read_mat(path, "annotations")
    with reading(path, "an annotation of MuPoTS-3D with 17 joints per person"):
        table = np.asarray(annotations, object)
        num_images = len(list(path.parent.glob("img_*.jpg")))
        if table.ndim < 2:  # the axis of a single person or frame is missing
            table = table.reshape(num_images or table.size, -1)
        if num_images not in (0, len(table)):
            raise ValueError(
                f"it has {len(table)} frames, but there are {num_images} images next to it"
            )
        return [_person(frame, record) for frame, row in enumerate(table) for record in row]


def camera_of(people: list[Person]) -> Camera:
    """Computes the camera that projects the 3D joints of valid people onto their 2D joints.

    Args:
        people: All people of a sequence.

    Raises:
        UserError: there are no valid people.
    """
    valid = [person for person in people if person.is_valid]
    if not valid:
        raise UserError("MuPoTS-3D: a sequence without valid people has no camera.")
    joints_mm = np.concatenate([person.joints_mm for person in valid])
    joints_px = np.concatenate([person.joints_px for person in valid])
    intrinsics = np.eye(3)
    for axis in range(2):
        ratio = joints_mm[:, axis] / joints_mm[:, 2]
        matrix = np.stack([ratio, np.ones_like(ratio)], axis=1)
        intrinsics[axis, [axis, 2]] = np.linalg.lstsq(matrix, joints_px[:, axis], rcond=None)[0]
    return Camera(intrinsic_matrix=intrinsics, world_up=(0, -1, 0))


def image_path(sequence: str, frame: int) -> str:
    """Returns the path of an image relative to the data root."""
    return f"{FOLDER}/{sequence}/img_{frame:06d}.jpg"


def _person(frame: int, record: object) -> Person:
    joints_px, joints_mm, universal_mm = (
        np.asarray(getattr(record, name), np.float64).reshape(size, 17).T
        for name, size in (("annot2", 2), ("annot3", 3), ("univ_annot3", 3))
    )
    is_valid = bool(np.any(getattr(record, "isValidFrame")))  # noqa: B009 (type unknown)
    return Person(frame, joints_px, joints_mm, universal_mm, is_valid)
