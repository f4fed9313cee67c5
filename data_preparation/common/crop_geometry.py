"""Where the small crop of a person lies: its virtual camera, its size and the person's new box.

The crop is what training reads instead of the full image. It is turned towards the person, upright
and without lens distortion, with room for every augmentation, and not much larger than needed.
Source: "as released"; the numbers are those of the original preprocessing.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np

from metrabs.data.examples import Example
from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from metrabs.geometry.reprojection import reproject_box_corners, reproject_box_side_midpoints

_MAX_ROLL = math.radians(30)
# Random scaling, shifting and partial visibility in training need this much around the box.
_ROOM = 1 / 0.85 * 1.1 / 0.85
_PERSON_SIDE_PX = 1.5 * 256
_MAX_ENLARGEMENT = 1.2
_EVERYTHING = np.array([-1e9, -1e9, 2e9, 2e9], np.float32)


@dataclasses.dataclass(frozen=True)
class CropOptions:
    """How a dataset's crops are made.

    Attributes:
        room_factor: multiplies the room around the box; 0 or less: the box itself is cropped.
        adjust_3dhp_colors: brighten, and remove the green tint of MPI-INF-3DHP's studio.
        extreme_perspective: do not cut the crop at the borders of the full image.
        downscale_input: average large images down before they are warped, against aliasing.
        skip_broken_images: leave out an image that cannot be decoded instead of failing, unless
            the settings are strict; for datasets whose sequences are not videos.
    """

    room_factor: float = 1.0
    adjust_3dhp_colors: bool = False
    extreme_perspective: bool = False
    downscale_input: bool = False
    skip_broken_images: bool = False


DEFAULT_CROP = CropOptions()


class CropPlan(NamedTuple):
    """Where a crop lies.

    Attributes:
        old_camera: of the full image; a stand-in for images without calibration.
        new_camera: of the crop.
        imshape: (height, width) of the crop; 0 if the box lies outside the image.
        box_px: float32 [4], the person's box in the crop.
        scale: pixels of the crop per pixel of the full image, about.
    """

    old_camera: Camera
    new_camera: Camera
    imshape: tuple[int, int]
    box_px: np.ndarray
    scale: float


def plan_crop(
    example: Example, imshape: tuple[int, ...], options: CropOptions = DEFAULT_CROP
) -> CropPlan:
    """Determines the crop of a person.

    Args:
        example: the person in the full image; a 2D example may be without a camera, then the crop
            is a scaled part of the image.
        imshape: (height, width, ...) of the full image.
        options: of the dataset.
    """
    box = np.asarray(example.bbox, np.float32)
    if example.camera is None:
        old_camera, new_camera = Camera.create2D(), Camera.create2D()
    else:
        old_camera = example.camera
        new_camera = old_camera.turn_towards(boxes.center(box), inplace=False).undistort()
    turned_box = reproject_box_side_midpoints(box, old_camera, new_camera)
    frame = _EVERYTHING
    if not options.extreme_perspective:
        frame = reproject_box_corners(boxes.full(imshape[1::-1]), old_camera, new_camera)
    crop_box = crop_box_around(turned_box, frame, options.room_factor)
    scale = min(_MAX_ENLARGEMENT, _PERSON_SIDE_PX / max(float(turned_box[2:].max()), 1e-6))
    new_camera.shift_image(-crop_box[:2]).scale_output(scale)
    return CropPlan(
        old_camera, new_camera, (round(scale * crop_box[3]), round(scale * crop_box[2])),
        reproject_box_side_midpoints(box, old_camera, new_camera), scale,
    )


def crop_box_around(box: Any, frame: Any, room_factor: float = 1.0) -> np.ndarray:
    """Returns the box [4] to crop: a square with room to turn and zoom, cut at the frame.

    Args:
        box: [4] box of the person.
        frame: [4] box of the image.
        room_factor: multiplies the room; 0 or less returns the box as it is.
    """
    box = np.asarray(box, np.float64)
    if room_factor <= 0:
        return box
    square = rollable_square(box)
    return boxes.intersection(boxes.expand(square, _ROOM * room_factor), frame)


def rollable_square(box: Any) -> np.ndarray:
    """Returns the square [4] around a box that holds it when it is rolled by up to 30 degrees."""
    box = np.asarray(box, np.float64)
    (width, height), cos, sin = box[2:], math.cos(_MAX_ROLL), math.sin(_MAX_ROLL)
    side = max(cos * width + sin * height, cos * height + sin * width)
    return boxes.box_around(boxes.center(box), side)
