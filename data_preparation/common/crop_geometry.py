"""Geometry of the small crop of a person: its virtual camera, its size and the new box.

Training reads the crop instead of the full image. It faces the person, upright and without lens
distortion, with room for every augmentation, and is not much larger than needed. The numbers are
those of the original preprocessing.
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
# Random scaling, shifting and partial visibility in training need this much room around the box.
_ROOM = 1 / 0.85 * 1.1 / 0.85
_PERSON_SIDE_PX = 1.5 * 256
_MAX_ENLARGEMENT = 1.2
_EVERYTHING = np.array([-1e9, -1e9, 2e9, 2e9], np.float32)


@dataclasses.dataclass(frozen=True)
class CropOptions:
    """How a dataset's crops are made.

    Attributes:
        room_factor: Factor of the room around the box; 0 or less: the box itself is cropped.
        adjust_3dhp_colors: Whether to brighten the crop and remove the green tint of
            MPI-INF-3DHP's studio.
        extreme_perspective: Whether the crop may extend beyond the full image.
        downscale_input: Whether large images are downscaled by averaging before warping, against
            aliasing.
        skip_broken_images: Whether an image that cannot be decoded is left out instead of being an
            error, unless the settings are strict; for datasets of separate images.
    """

    room_factor: float = 1.0
    adjust_3dhp_colors: bool = False
    extreme_perspective: bool = False
    downscale_input: bool = False
    skip_broken_images: bool = False


DEFAULT_CROP = CropOptions()


class CropPlan(NamedTuple):
    """The geometry of a crop.

    Attributes:
        old_camera: Camera of the full image; a substitute for images without calibration.
        new_camera: Camera of the crop.
        imshape: Shape (height, width) of the crop; 0 if the box is outside the image.
        box_px: The person's box in the crop, float32 `[4]`.
        scale: Approximate number of pixels of the crop per pixel of the full image.
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
        example: The person in the full image. For a 2D example without a camera, the crop is a
            scaled part of the image.
        imshape: Shape (height, width, ...) of the full image.
        options: How the crops of the dataset are made.
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
        old_camera,
        new_camera,
        (round(scale * crop_box[3]), round(scale * crop_box[2])),
        reproject_box_side_midpoints(box, old_camera, new_camera),
        scale,
    )


def crop_box_around(box: Any, frame: Any, room_factor: float = 1.0) -> np.ndarray:
    """Returns the box `[4]` to crop: a square with room to rotate and zoom, cut at the frame.

    Args:
        box: Box of the person, `[4]`.
        frame: Box of the image, `[4]`.
        room_factor: Factor of the room; 0 or less returns the box unchanged.
    """
    box = np.asarray(box, np.float64)
    if room_factor <= 0:
        return box
    square = rollable_square(box)
    return boxes.intersection(boxes.expand(square, _ROOM * room_factor), frame)


def rollable_square(box: Any) -> np.ndarray:
    """Returns the square `[4]` that contains a box when it is rolled by up to 30 degrees."""
    box = np.asarray(box, np.float64)
    (width, height), cos, sin = box[2:], math.cos(_MAX_ROLL), math.sin(_MAX_ROLL)
    side = max(cos * width + sin * height, cos * height + sin * width)
    return boxes.box_around(boxes.center(box), side)
