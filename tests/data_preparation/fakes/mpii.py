"""A miniature MPII Human Pose: three images, the last one without poses."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import scipy.io

from metrabs.geometry import boxes
from tests.data_preparation.fakes import toolkit

IMSIZE_WH = (480, 400)
NAMES = ("rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb lwri").split()
# Image (from 0), left side, number of annotated points, of each person.
PEOPLE = {"whole": (0, 20, 16), "few": (0, 250, 6), "alone": (1, 100, 8), "point": (1, 300, 1)}
# Annotated position in pixels, and scale in 200 pixels, of each person.
PLACES = {
    "whole": (95, 180, 1.5),
    "few": (300, 150, 1.0),
    "alone": (170, 190, 1.5),
    "point": (395, 230, 0.5),
}
NOT_ALONE = ("whole",)


class Rectangle(NamedTuple):
    """What is annotated of a person."""

    joints_px: np.ndarray  # NaN: not annotated
    place: Optional[tuple[float, float, float]] = None
    is_alone: bool = True


def joints_px(name: str) -> np.ndarray:
    """Returns [16, 2] joints of a person; only the first ones are annotated."""
    unit = toolkit.marker_pose(16)[:, :2] / 1700 + np.array([0.25, 0.5])
    return np.array([PEOPLE[name][1], 40]) + unit * np.array([300, 300])


def box_of(name: str) -> np.ndarray:
    """Returns the box [4] of the annotated joints of a person."""
    return boxes.bounding_box(joints_px(name)[: PEOPLE[name][2]])


def make_mpii(root: pathlib.Path) -> None:
    """Writes the dataset into `root/mpii`."""
    folder = root / "mpii"
    rectangles: dict[str, list[Rectangle]] = {}
    for i in range(3):
        name = f"{i + 1:09d}.jpg"
        image = toolkit.blank_image(IMSIZE_WH)
        rectangles[name] = [
            Rectangle(joints_px(person)[:num_points], PLACES[person], person not in NOT_ALONE)
            for person, (of_image, _, num_points) in PEOPLE.items()
            if of_image == i
        ]
        for rectangle in rectangles[name]:
            toolkit.draw_markers(image, rectangle.joints_px)
        if i == 1:
            rectangles[name].insert(0, Rectangle(np.zeros((0, 2))))
        toolkit.write_image(folder / "images" / name, image)
    write_annotations(folder, rectangles, is_training=[1, 1, 0])


def write_annotations(
    folder: pathlib.Path, people: Mapping[str, Sequence[Rectangle]], is_training: Sequence[int]
) -> None:
    """Writes the annotation file, given the people by image."""
    kinds = [("image", object), ("annorect", object), ("frame_sec", object), ("vididx", object)]
    annolist = np.zeros((1, len(people)), kinds)
    single_person = np.zeros((len(people), 1), object)
    for i, (name, of_image) in enumerate(people.items()):
        rectangles = _struct_array([_rectangle(rectangle) for rectangle in of_image])
        annolist[0, i] = ({"name": name}, rectangles, 1.0, 1.0)
        numbers = [k for k, rectangle in enumerate(of_image, start=1) if rectangle.is_alone]
        single_person[i, 0] = np.array(numbers, np.uint8).reshape(-1, 1)
    release = {
        "annolist": annolist,
        "img_train": np.array([is_training]),
        "version": "12",
        "single_person": single_person,
    }
    scipy.io.savemat(folder / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})


def _rectangle(rectangle: Rectangle) -> dict[str, Any]:
    # Ids are stored in any order.
    nothing = np.zeros((0, 0))
    x, y, scale = rectangle.place or (0.0, 0.0, nothing)
    points_px = rectangle.joints_px
    points = [
        {"x": float(x), "y": float(y), "id": float(i), "is_visible": 1.0}
        for i, (x, y) in reversed(list(enumerate(points_px)))
        if not np.isnan(x)
    ]
    return {
        "x1": 1.0,
        "scale": scale,
        "objpos": {"x": x, "y": y} if rectangle.place else nothing,
        "annopoints": {"point": _struct_array(points)} if points else nothing,
    }


def _struct_array(records: list[dict[str, Any]]) -> np.ndarray:
    if not records:
        return np.zeros((0, 0))
    array = np.zeros((1, len(records)), [(name, object) for name in records[0]])
    for i, record in enumerate(records):
        array[0, i] = tuple(record.values())
    return array
