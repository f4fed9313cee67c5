"""Drawing skeletons, boxes and captions on images with OpenCV, and tiling images into sheets.

Images are uint8 RGB [h, w, 3]; every function returns a new image. Line widths and text sizes
default to what is readable at the size of the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Optional, Protocol

import cv2
import numpy as np

from metrabs.visualization.palette import SERIES_COLORS, SIDE_COLORS, Color, edge_side, joint_sides

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_HEIGHT = 22  # height of a capital letter in pixels at scale 1
_DARK: Color = (25, 25, 25)
_LIGHT: Color = (245, 245, 245)
_SUBPIXEL_BITS = 4
_MAX_COORDINATE = 1 << 14  # beyond it, OpenCV's fixed-point coordinates could overflow


class SkeletonLike(Protocol):
    """Anything with joint names and edges: JointInfo or an exported Skeleton."""

    @property
    def names(self) -> Any:
        """Joint names."""

    @property
    def edges(self) -> Any:
        """Pairs of joint indices."""


def draw_poses2d(
    image: np.ndarray,
    poses2d: Any,
    skeleton: SkeletonLike,
    line_width: Optional[float] = None,
    draw_joints: bool = True,
    color: Optional[Color] = None,
) -> np.ndarray:
    """Draws 2D poses: left blue, right orange, centre green, with a dark outline.

    Args:
        image: [h, w, 3] uint8.
        poses2d: [n, J, 2] or [J, 2] pixels; joints with NaN, and bones to them, are left out.
        skeleton: names and edges of the J joints.
        line_width: Width of bones, pixels; default: depends on the size of each person.
        draw_joints: mark the joints with dots.
        color: RGB of all bones and joints; default: that of their sides.
    """
    canvas = np.ascontiguousarray(image).copy()
    sides = joint_sides(skeleton.names)
    poses2d = np.asarray(poses2d, np.float64).reshape(-1, len(sides), 2)
    for pose in poses2d:
        is_valid = np.isfinite(pose).all(axis=1) & (np.abs(pose) < _MAX_COORDINATE).all(axis=1)
        width = line_width or _width_for(pose[is_valid], image.shape)
        bones = [edge for edge in skeleton.edges if is_valid[list(edge)].all()]
        joints = np.flatnonzero(is_valid & draw_joints)
        has_outline = width >= 2
        for is_outline in (True, False) if has_outline else (False,):
            extra = max(1.0, 0.5 * width) if is_outline else 0.0
            for a, b in bones:
                inner = color or SIDE_COLORS[edge_side(sides, (a, b))]
                _line(canvas, pose[a], pose[b], _DARK if is_outline else inner, width + extra)
            for joint in joints:
                inner = _DARK if is_outline else color or SIDE_COLORS[sides[joint]]
                _disc(canvas, pose[joint], inner, 0.85 * width + extra / 2)
    return canvas


def draw_boxes(
    image: np.ndarray,
    boxes_ltwh: Any,
    labels: Optional[Sequence[str]] = None,
    color: Optional[Color] = None,
) -> np.ndarray:
    """Draws boxes, each with its label above its top left corner.

    Args:
        image: [h, w, 3] uint8.
        boxes_ltwh: [n, >= 4] pixels: left, top, width, height; further columns are ignored.
        labels: n strings.
        color: RGB of all boxes; default: one colour after the other.
    """
    canvas = np.ascontiguousarray(image).copy()
    width = max(1.0, 0.003 * _size(image.shape))
    boxes = np.asarray(boxes_ltwh, np.float64)
    boxes = boxes.reshape(len(boxes), -1)[:, :4] if boxes.size else np.zeros((0, 4))
    for i, (left, top, box_width, box_height) in enumerate(boxes):
        box_color = color or SERIES_COLORS[i % len(SERIES_COLORS)]
        corners = np.array([[left, top], [left + box_width, top + box_height]])
        for line_color, extra in ((_DARK, max(1.0, 0.5 * width)), (box_color, 0.0)):
            _rectangle(canvas, corners, line_color, width + extra)
        if labels is not None:
            _label(canvas, str(labels[i]), left, top, box_color)
    return canvas


def add_caption(image: np.ndarray, text: str, height: Optional[int] = None) -> np.ndarray:
    """Adds a line of text on a dark strip above the image; long text is made smaller.

    Args:
        image: [h, w, 3] uint8.
        text: Caption (ASCII).
        height: Height of the strip, pixels; default: depends on the size of the image.
    """
    width = image.shape[1]
    height = height or max(16, round(0.06 * _size(image.shape)))
    strip = np.full((height, width, 3), _DARK, np.uint8)
    scale = 0.5 * height / _FONT_HEIGHT
    text_width = cv2.getTextSize(text, _FONT, scale, 1)[0][0]
    scale *= min(1.0, 0.94 * width / max(text_width, 1))
    baseline = round((height + _FONT_HEIGHT * scale) / 2)
    _text(strip, text, (round(0.03 * width), baseline), scale, _LIGHT)
    return np.concatenate([strip, image], axis=0)


def contact_sheet(
    images: Sequence[np.ndarray],
    captions: Optional[Sequence[str]] = None,
    num_columns: Optional[int] = None,
    tile_size_wh: tuple[int, int] = (320, 320),
    gap: int = 6,
) -> np.ndarray:
    """Tiles images into one, each fitted into its tile without changing its aspect ratio.

    Args:
        images: [h, w, 3] or grey [h, w] uint8 images of any sizes.
        captions: One string per image.
        num_columns: default: as square a sheet as possible.
        tile_size_wh: (width, height) of the space for each image.
        gap: pixels between tiles.
    """
    num_columns = num_columns or max(1, math.ceil(math.sqrt(len(images))))
    tiles = [fit_into(image, tile_size_wh) for image in images]
    if captions is not None:
        height = max(16, round(0.08 * tile_size_wh[1]))
        tiles = [add_caption(tile, text, height) for tile, text in zip(tiles, captions)]
    tile_height = tiles[0].shape[0] if tiles else tile_size_wh[1]
    num_rows = math.ceil(len(tiles) / num_columns)
    step_x, step_y = tile_size_wh[0] + gap, tile_height + gap
    sheet = np.full((num_rows * step_y + gap, num_columns * step_x + gap, 3), 255, np.uint8)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, num_columns)
        top, left = gap + row * step_y, gap + column * step_x
        sheet[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def fit_into(image: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    """Resizes an image to fit (width, height), centred on light grey: [height, width, 3]."""
    image = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
    scale = min(size_wh[0] / image.shape[1], size_wh[1] / image.shape[0])
    width, height = (max(1, round(scale * side)) for side in image.shape[1::-1])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = cv2.resize(image, (width, height), interpolation=interpolation)
    canvas = np.full((size_wh[1], size_wh[0], 3), 235, np.uint8)
    top, left = (size_wh[1] - height) // 2, (size_wh[0] - width) // 2
    canvas[top : top + height, left : left + width] = resized
    return canvas


def enlarge(image: np.ndarray, points: Any, min_side: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales a small image up, with its points, so that lines drawn on it are smooth.

    Args:
        image: [h, w, 3].
        points: [..., 2] pixels.
        min_side: the longer side of the result has at least this many pixels.

    Returns:
        The image, enlarged by a whole number, and the points on it.
    """
    factor = max(1, math.ceil(min_side / max(image.shape[:2])))
    size_wh = (image.shape[1] * factor, image.shape[0] * factor)
    enlarged = cv2.resize(image, size_wh, interpolation=cv2.INTER_CUBIC)
    return enlarged, (np.asarray(points, np.float64) + 0.5) * factor - 0.5


def _width_for(points: np.ndarray, imshape: tuple[int, ...]) -> float:
    """Chooses the width of bones for a person that extends over the given points."""
    extent = np.ptp(points, axis=0).max() if len(points) else 0.0
    return float(np.clip(0.012 * extent, 1.0, 0.008 * _size(imshape) + 1))


def _size(imshape: tuple[int, ...]) -> float:
    return math.sqrt(imshape[0] * imshape[1])


def _fixed_point(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(np.clip(point, -_MAX_COORDINATE, _MAX_COORDINATE) * (1 << _SUBPIXEL_BITS))
    return int(x), int(y)


def _line(
    canvas: np.ndarray, start: np.ndarray, end: np.ndarray, color: Color, width: float
) -> None:
    ends = (_fixed_point(start), _fixed_point(end))
    cv2.line(canvas, *ends, color, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _rectangle(canvas: np.ndarray, corners: np.ndarray, color: Color, width: float) -> None:
    points = (_fixed_point(corners[0]), _fixed_point(corners[1]))
    cv2.rectangle(canvas, *points, color, max(1, round(width)), cv2.LINE_AA, _SUBPIXEL_BITS)


def _disc(canvas: np.ndarray, center: np.ndarray, color: Color, radius: float) -> None:
    fixed_radius = max(1, round(radius * (1 << _SUBPIXEL_BITS)))
    cv2.circle(canvas, _fixed_point(center), fixed_radius, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _label(canvas: np.ndarray, text: str, left: float, top: float, color: Color) -> None:
    """Writes text on a coloured patch whose lower left corner is at (left, top)."""
    scale = max(0.35, 0.018 * _size(canvas.shape) / _FONT_HEIGHT)
    (width, _), _ = cv2.getTextSize(text, _FONT, scale, 1)
    pad = round(0.4 * _FONT_HEIGHT * scale)
    height = round(_FONT_HEIGHT * scale) + 2 * pad
    left = int(np.clip(round(left), 0, max(0, canvas.shape[1] - width - 2 * pad)))
    bottom = int(np.clip(round(top), height, canvas.shape[0]))
    cv2.rectangle(canvas, (left, bottom - height), (left + width + 2 * pad, bottom), color, -1)
    is_bright = np.dot(color, (0.3, 0.59, 0.11)) > 140
    _text(canvas, text, (left + pad, bottom - pad), scale, _DARK if is_bright else _LIGHT)


def _text(
    canvas: np.ndarray, text: str, origin: tuple[int, int], scale: float, color: Color
) -> None:
    cv2.putText(canvas, text, origin, _FONT, scale, color, max(1, round(1.8 * scale)), cv2.LINE_AA)
