"""Miniature INRIA Holidays: four photographs, two of them turned by their EXIF orientation."""

from __future__ import annotations

import pathlib
import pickle
from typing import Any

import numpy as np
import PIL.Image

ORIENTATION_TAG = 274
RED, BLUE, GREY = (220, 20, 20), (20, 20, 220), (120, 120, 120)
DETECTIONS: dict[str, Any] = {
    "100000.jpg": [],
    "100001.jpg": [[10, 10, 50, 100, 0.9]],
    "100002.jpg": np.zeros((0, 5)),
    "100003.jpg": np.array([[10, 10, 50, 100, 0.9], [90, 10, 50, 100, 0.5]]),
}
FREE_OF_PEOPLE = ["100000.jpg", "100002.jpg"]


def halves(height: int, width: int, left: Any, right: Any) -> np.ndarray:
    """Returns an image whose halves have two colours, uint8 [height, width, 3]."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = left, right
    return image


def make_inria_holidays(root: pathlib.Path, has_detections: bool = True) -> None:
    """Writes the data set below a data root, in the official layout."""
    folder = root / "inria_holidays" / "jpg"
    folder.mkdir(parents=True)
    photographs = {
        "100000.jpg": (halves(600, 800, GREY, GREY), None),
        "100001.jpg": (halves(800, 600, RED, BLUE), 6),
        "100002.jpg": (halves(512, 512, BLUE, RED), None),
        "100003.jpg": (halves(300, 400, RED, BLUE), 3),
    }
    for name, (image, orientation) in photographs.items():
        exif = PIL.Image.Exif()
        if orientation is not None:
            exif[ORIENTATION_TAG] = orientation
        PIL.Image.fromarray(image).save(folder / name, quality=95, exif=exif)
    if has_detections:
        path = folder.parent / "yolov4_person_detections.pkl"
        path.write_bytes(pickle.dumps(DETECTIONS))
