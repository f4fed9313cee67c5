"""A miniature MPII Human Pose: three images, the last one without poses."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.io

from metrabs.geometry import boxes
from tests.data_preparation.fakes import toolkit

IMSIZE_WH = (480, 400)
NAMES = ("rank rkne rhip lhip lkne lank pelv thor neck head rwri relb rsho lsho lelb "
         "lwri").split()
# Image (from 0), left side, number of annotated points, of each person.
PEOPLE = {"whole": (0, 20, 16), "few": (0, 250, 6), "alone": (1, 100, 8), "point": (1, 300, 1)}


def joints_px(name: str) -> np.ndarray:
    """Returns [16, 2] joints of a person; only the first ones are annotated."""
    unit = toolkit.marker_pose(16)[:, :2] / 1700 + np.array([0.25, 0.5])
    return np.array([PEOPLE[name][1], 40]) + unit * np.array([300, 300])


def box_of(name: str) -> np.ndarray:
    """Returns the box [4] of the annotated joints of a person."""
    return boxes.bounding_box(joints_px(name)[:PEOPLE[name][2]])


def make_mpii(root: pathlib.Path) -> None:
    """Writes the dataset into `root/mpii`."""
    folder = root / "mpii"
    people_px: dict[str, list[np.ndarray]] = {}
    for i in range(3):
        name = f"{i + 1:09d}.jpg"
        image = toolkit.blank_image(IMSIZE_WH)
        people_px[name] = [joints_px(person)[:num_points]
                           for person, (of_image, _, num_points) in PEOPLE.items()
                           if of_image == i]
        for points_px in people_px[name]:
            toolkit.draw_markers(image, points_px)
        if i == 1:
            people_px[name].append(np.zeros((0, 2)))
        toolkit.write_image(folder / "images" / name, image)
    write_annotations(folder, people_px, is_training=[1, 1, 0])


def write_annotations(
    folder: pathlib.Path, people_px: Mapping[str, Sequence[np.ndarray]],
    is_training: Sequence[int],
) -> None:
    """Writes the annotation file, given the joints of the people by image; NaN: not annotated."""
    kinds = [("image", object), ("annorect", object), ("frame_sec", object), ("vididx", object)]
    annolist = np.zeros((1, len(people_px)), kinds)
    for i, (name, people) in enumerate(people_px.items()):
        rectangles = _struct_array([_rectangle(points_px) for points_px in people])
        annolist[0, i] = ({"name": name}, rectangles, 1.0, 1.0)
    release = {"annolist": annolist, "img_train": np.array([is_training]), "version": "12"}
    scipy.io.savemat(folder / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})


def _rectangle(points_px: np.ndarray) -> dict[str, Any]:
    # Ids are stored in any order.
    points = [{"x": float(x), "y": float(y), "id": float(i), "is_visible": 1.0}
              for i, (x, y) in reversed(list(enumerate(points_px))) if not np.isnan(x)]
    return {"x1": 1.0, "scale": 2.0,
            "annopoints": {"point": _struct_array(points)} if points else np.zeros((0, 0))}


def _struct_array(records: list[dict[str, Any]]) -> np.ndarray:
    if not records:
        return np.zeros((0, 0))
    array = np.zeros((1, len(records)), [(name, object) for name in records[0]])
    for i, record in enumerate(records):
        array[0, i] = tuple(record.values())
    return array
