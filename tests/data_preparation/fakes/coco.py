"""A miniature COCO: three photos with people that pass or fail each of the rules."""

from __future__ import annotations

import json
import pathlib

import numpy as np

from tests.data_preparation.fakes import toolkit

IMSIZE_WH = (640, 480)
NAMES = (
    "nose leye reye lear rear lsho rsho lelb relb lwri rwri lhip rhip lkne rkne lank rank"
).split()
BOX_SIZE = (150, 400)


def joints_px(left: float, top: float, width: float = 150, height: float = 400) -> np.ndarray:
    """Returns [17, 2] joints that fill a box but for its outermost tenths."""
    pose = toolkit.marker_pose(17)[:, :2]
    unit = (pose - pose.min(axis=0)) / np.ptp(pose, axis=0)
    return np.array([left, top]) + (0.1 + 0.8 * unit) * np.array([width, height])


def person_joints() -> dict[str, np.ndarray]:
    """Returns the joints of each person; A, E and F are in the first photo."""
    return {
        "A": joints_px(40, 40),
        "B": joints_px(230, 40),
        "C": joints_px(420, 40),
        "D": joints_px(60, 50),
        "E": joints_px(400, 300, 80, 150),
        "G": joints_px(250, 30),
    }


def make_coco(root: pathlib.Path) -> None:
    """Writes the dataset into `root/coco`.

    A: all 17 visible, but two unlabelled ankles. B: 6 visible and 3 hidden, just enough.
    C: 5 visible and 10 hidden. D: 8 labelled. E: too small. F: a crowd. G: of the second split.
    """
    visible, hidden, unlabelled = [2], [1], [0]
    people = {
        "A": (1, visible * 15 + unlabelled * 2),
        "B": (1, visible * 6 + hidden * 3 + unlabelled * 8),
        "C": (1, visible * 5 + hidden * 10 + unlabelled * 2),
        "D": (2, visible * 8 + unlabelled * 9),
        "E": (2, visible * 17),
        "G": (3, visible * 17),
    }
    annotations = [_annotation(name, *person) for name, person in people.items()]
    crowd = {"size": IMSIZE_WH[::-1], "counts": [0, IMSIZE_WH[0] * IMSIZE_WH[1]]}
    annotations.insert(
        0,
        {
            "image_id": 1,
            "keypoints": [0] * 51,
            "bbox": [0, 0, 640, 480],
            "iscrowd": 1,
            "segmentation": crowd,
            "num_keypoints": 0,
            "id": 99,
            "category_id": 1,
        },
    )
    for split, image_ids in {"train2014": (1, 2), "val2014": (3,)}.items():
        _write_split(root / "coco", split, image_ids, annotations)


def _annotation(name: str, image_id: int, visibility: list[int]) -> dict:
    joints = person_joints()[name]
    flags = np.array(visibility)[:, np.newaxis]
    low = joints.min(axis=0) - 0.125 * np.ptp(joints, axis=0)
    high = joints.max(axis=0) + 0.125 * np.ptp(joints, axis=0)
    (x0, y0), (x1, y1) = low.tolist(), high.tolist()
    return {
        "id": ord(name),
        "image_id": image_id,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": np.hstack([joints * (flags > 0), flags]).ravel().tolist(),
        "num_keypoints": int((flags > 0).sum()),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]],
    }


def _write_split(
    folder: pathlib.Path, split: str, image_ids: tuple[int, ...], annotations: list[dict]
) -> None:
    images = []
    for image_id in image_ids:
        name = f"COCO_{split}_{image_id:012d}.jpg"
        image = toolkit.blank_image(IMSIZE_WH)
        for annotation in annotations:
            if annotation["image_id"] == image_id and not annotation["iscrowd"]:
                toolkit.draw_markers(image, person_joints()[chr(annotation["id"])])
        toolkit.write_image(folder / split / name, image)
        images.append({"id": image_id, "file_name": name, "width": 640, "height": 480})
    chosen = [a for a in annotations if a["image_id"] in image_ids]
    path = folder / "annotations" / f"person_keypoints_{split}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"images": images, "annotations": chosen, "categories": []}))
