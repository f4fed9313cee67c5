"""Rendering crops (in linear light) and their masks, and writing images.

Colours are averaged as amounts of light, not as gamma-encoded bytes, over all source pixels that
the crop covers. Only the part of the full image that the crop shows is processed.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Optional

import cv2
import numpy as np

from data_preparation.common.crop_geometry import DEFAULT_CROP, CropOptions, CropPlan
from metrabs.data.augmentation.color_correction import white_balance
from metrabs.data.storage.masks import encode_mask
from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from metrabs.geometry.reprojection import reproject_image

_GAMMA = 2.2
_LINEAR_LEVELS = ((np.arange(256) / 255) ** _GAMMA).astype(np.float32)
_BRIGHTENING = 0.67
_3DHP_NEUTRAL_LAB = (110, 145)
_ANTIALIAS = 2
_JPEG_QUALITY = 95
# Source images are downscaled to no less than this multiple of the crop's resolution.
_OVERSAMPLING = 4
_GRID = 17  # points per side to find the part of the full image that a crop shows
_MARGIN_PX, _MARGIN_SHARE = 4, 0.02


class SourceMask(NamedTuple):
    """A mask of the full image.

    Attributes:
        levels: uint8 `[h, w]`, 0 outside to 255 inside.
        threshold: Level above which a pixel of the crop is inside.
        single_component: Whether to keep only the connected component that best fits the
            person's box.
    """

    levels: np.ndarray
    threshold: int = 127
    single_component: bool = False


def render_crop(
    image: np.ndarray, plan: CropPlan, options: CropOptions = DEFAULT_CROP
) -> np.ndarray:
    """Renders a crop.

    Args:
        image: The full image, uint8 `[h, w, 3]` RGB.
        plan: Geometry of the crop.
        options: How the crops of the dataset are made.

    Returns:
        uint8 `[crop h, crop w, 3]` RGB.
    """
    part, camera = _visible_part(image, plan)
    light = cv2.LUT(part, _LINEAR_LEVELS)
    shrinking = min(1.0, _OVERSAMPLING * plan.scale)
    if options.downscale_input and shrinking < 1:
        size = [max(1, round(shrinking * side)) for side in light.shape[1::-1]]
        light = cv2.resize(light, size, interpolation=cv2.INTER_AREA)
        camera = camera.scale_output(shrinking, inplace=False)
    crop = reproject_image(
        light,
        camera,
        plan.new_camera,
        plan.imshape,
        interp=cv2.INTER_CUBIC,
        antialias_factor=_ANTIALIAS,
    )
    return _as_bytes(np.clip(crop, 0, 1, out=crop), options.adjust_3dhp_colors)


def render_mask(mask: SourceMask, plan: CropPlan) -> dict[str, Any]:
    """Renders the mask of a crop, run-length encoded."""
    part, camera = _visible_part(mask.levels, plan)
    levels = reproject_image(
        part, camera, plan.new_camera, plan.imshape, antialias_factor=_ANTIALIAS
    )
    is_inside = levels > mask.threshold
    if mask.single_component:
        is_inside = best_component(is_inside, plan.box_px)
    return encode_mask(is_inside)


def best_component(is_inside: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """Returns the 4-connected component of a mask `[h, w]` that best fits a box `[4]`."""
    num_labels, labels, stats, _ = cv2.connectedComponentsWithStats(
        is_inside.astype(np.uint8), connectivity=4
    )
    if num_labels <= 2:  # the background and at most one component
        return is_inside
    overlaps = boxes.iou(stats[1:, :4].astype(np.float32), box_px)
    return labels == 1 + int(np.argmax(overlaps))


def write_jpeg(path: PathLike, image: np.ndarray) -> None:
    """Writes an image, uint8 `[h, w, 3]` RGB, as a JPEG of quality 95; creates missing folders.

    Raises:
        UserError: the file cannot be written.
    """
    _, code = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    try:
        # No temporary file: after an interruption all files of the sequence are written again.
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(code.tobytes())
    except OSError as error:
        raise UserError(
            f"Image '{path}' cannot be written: {error.strerror}. Free disk space or give "
            "another folder as --data_root."
        ) from error


def _as_bytes(light: np.ndarray, adjust_3dhp_colors: bool) -> np.ndarray:
    """Gamma-encodes linear light in 0..1; truncates (as in the original implementation)."""
    exponent = (_BRIGHTENING if adjust_3dhp_colors else 1) / _GAMMA
    image = (cv2.pow(light, exponent) * np.float32(255)).astype(np.uint8)
    return white_balance(image, *_3DHP_NEUTRAL_LAB) if adjust_3dhp_colors else image


def _visible_part(image: np.ndarray, plan: CropPlan) -> tuple[np.ndarray, Camera]:
    """Returns the part of an image that a crop can show, and the camera of that part."""
    region = _visible_region(plan, image.shape)
    if region is None:
        return image, plan.old_camera
    left, top, right, bottom = region
    camera = plan.old_camera.shift_image((-left, -top), inplace=False)
    return image[top:bottom, left:right], camera


def _visible_region(
    plan: CropPlan, imshape: tuple[int, ...]
) -> Optional[tuple[int, int, int, int]]:
    """Returns left, top, right, bottom of that part, or None if it cannot be determined."""
    axes = [np.linspace(-1, side, _GRID) for side in plan.imshape[::-1]]
    grid = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    turn = plan.old_camera.R.astype(np.float64) @ plan.new_camera.R.T
    rays = plan.new_camera.rays(grid) @ turn.T
    if rays[:, 2].min() < 0.1:  # the crop looks past the image plane of the full image
        return None
    points = plan.old_camera.camera_to_image(rays)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _MARGIN_PX + _MARGIN_SHARE * (high - low)
    size = np.array(imshape[1::-1])
    left, top = np.clip(np.floor(low - margin), 0, size - 1).astype(int)
    right, bottom = np.clip(np.ceil(high + margin) + 1, (left + 1, top + 1), size).astype(int)
    return int(left), int(top), int(right), int(bottom)
