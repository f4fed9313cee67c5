"""A miniature Pascal VOC 2012: four objects, of which one is an occluder."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image

WIDTH, HEIGHT = 200, 150
CHAIR_BOX = (100, 20, 180, 120)  # left, top, right, bottom
CHAIR = np.s_[30:110, 110:170]  # its pixels: the box inset by 10
CHAIR_COLOR, BACKGROUND_COLOR = (200, 30, 30), (90, 120, 90)
VOID = 255


class Annotated(NamedTuple):
    """An object of an annotation file."""

    name: str
    box: tuple[float, float, float, float]
    truncated: int = 0
    difficult: int = 0


OBJECTS = (
    Annotated("person", (10, 10, 60, 140)),
    Annotated("chair", CHAIR_BOX),
    Annotated("dog", (60, 100, 99, 140), truncated=1),
    Annotated("bottle", (180, 125, 200, 145)),
)


def annotation(name: str, objects: Sequence[Annotated], segmented: int = 1) -> str:
    """Returns the text of an annotation file."""
    parts = [
        f"<object><name>{o.name}</name><pose>Left</pose><truncated>{o.truncated}</truncated>"
        f"<difficult>{o.difficult}</difficult><bndbox><xmin>{o.box[0]}</xmin><ymin>{o.box[1]}"
        f"</ymin><xmax>{o.box[2]}</xmax><ymax>{o.box[3]}</ymax></bndbox>"
        # A part, which is no object of its own.
        "<part><name>person</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9"
        "</ymax></bndbox></part></object>"
        for o in objects
    ]
    return (
        f"<annotation><folder>VOC2012</folder><filename>{name}.jpg</filename><size><width>{WIDTH}"
        f"</width><height>{HEIGHT}</height><depth>3</depth></size><segmented>{segmented}"
        f"</segmented>{''.join(parts)}</annotation>"
    )


def labels(has_void_ring: bool) -> np.ndarray:
    """Returns the object numbers of the segmented image, uint8 [HEIGHT, WIDTH]."""
    numbers = np.zeros((HEIGHT, WIDTH), np.uint8)
    numbers[10:140, 10:60] = 1
    if has_void_ring:
        numbers[CHAIR[0].start - 2 : CHAIR[0].stop + 2, CHAIR[1].start - 2 : CHAIR[1].stop + 2] = (
            VOID
        )
    numbers[CHAIR] = 2
    numbers[100:140, 60:99] = 3
    numbers[125:145, 180:200] = 4
    return numbers


def make_pascal_voc(root: pathlib.Path, has_void_ring: bool = False) -> None:
    """Writes the data set below a data root, in the official layout."""
    folder = root / "pascal_voc"
    for name in ("Annotations", "JPEGImages", "SegmentationObject"):
        (folder / name).mkdir(parents=True)
    texts = {
        "2007_000001": annotation("2007_000001", OBJECTS),
        "2007_000002": annotation("2007_000002", OBJECTS, segmented=0),
        "2007_000003": annotation("2007_000003", OBJECTS[:1]),
        "2007_000004": annotation("2007_000004", OBJECTS),  # without a segmentation image
    }
    for name, text in texts.items():
        (folder / "Annotations" / f"{name}.xml").write_text(text)
    image = np.full((HEIGHT, WIDTH, 3), BACKGROUND_COLOR, np.uint8)
    image[CHAIR] = CHAIR_COLOR
    path = folder / "JPEGImages" / "2007_000001.jpg"
    cv2.imwrite(str(path), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    png = PIL.Image.fromarray(labels(has_void_ring), "P")
    png.putpalette([(37 * i + 11 * c) % 256 for i in range(256) for c in range(3)])
    for name in ("2007_000001", "2007_000003"):
        png.save(folder / "SegmentationObject" / f"{name}.png")
