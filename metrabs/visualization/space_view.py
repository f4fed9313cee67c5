"""Fast 3D views of poses, drawn with OpenCV: from the side in front, and from above.

Parallel projection onto a square panel, with a grid on the floor. Meant for videos and many
images; `figures` makes the nicer ones for reports.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np

from metrabs.geometry import MM_PER_M
from metrabs.visualization.drawing import SkeletonLike, draw_poses2d

_MIN_EXTENT_M = 1.2
_MARGIN = 1.1
_BACKGROUND = (250, 250, 252)
_GRID_COLOR = (205, 208, 216)
_TEXT_COLOR = (90, 95, 105)
_AZIMUTH_DEGREES, _ELEVATION_DEGREES = 50.0, 18.0


@dataclasses.dataclass(frozen=True)
class Space:
    """The part of space that is shown, in level coordinates: x right, y away, z up, in metres.

    Attributes:
        rotation: `[3, 3]`, from the camera's axes to the level ones.
        low, high: `[3]`, corners.
    """

    rotation: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def to_level(self, points_cam_mm: Any) -> np.ndarray:
        """Returns points `[..., 3]` of the camera frame (mm) in level coordinates (m)."""
        return np.asarray(points_cam_mm, np.float64) / MM_PER_M @ self.rotation.T


def space_of(
    poses3d_cam_mm: Iterable[Any], up_cam: Any = (0.0, -1.0, 0.0), percentile: float = 0.0
) -> Space:
    """Chooses the space that holds poses.

    Args:
        poses3d_cam_mm: arrays `[..., 3]` in the camera frame (x right, y down, z forward).
        up_cam: `[3]`, the upward direction in the camera frame.
        percentile: share of outlying joints, in percent per side, that need not fit.
    """
    rotation = _level_rotation(np.asarray(up_cam, np.float64))
    points = [np.reshape(np.asarray(p, np.float64), [-1, 3]) for p in poses3d_cam_mm]
    level = np.concatenate([np.zeros([0, 3]), *points]) / MM_PER_M @ rotation.T
    level = level[np.isfinite(level).all(axis=1)]
    if not len(level):
        level = np.zeros([1, 3])
    low, high = np.percentile(level, [percentile, 100 - percentile], axis=0)
    half = np.maximum((high - low) * _MARGIN, _MIN_EXTENT_M) / 2
    return Space(rotation, (low + high) / 2 - half, (low + high) / 2 + half)


def draw_turned_view(
    poses3d_cam_mm: Any, skeleton: SkeletonLike, space: Space, side_px: int
) -> np.ndarray:
    """Draws poses as seen from the camera's right and a little above: `[side, side, 3]` RGB.

    Args:
        poses3d_cam_mm: `[n, J, 3]` in the camera frame.
        skeleton: names and edges of the J joints.
        space: Region to show.
        side_px: Side of the square panel, pixels.
    """
    azimuth, elevation = np.deg2rad([_AZIMUTH_DEGREES, _ELEVATION_DEGREES])
    right = np.array([np.cos(azimuth), np.sin(azimuth), 0])
    away = np.array([-np.sin(azimuth), np.cos(azimuth), 0])
    up = np.array([0.0, 0.0, 1.0])
    view = np.stack([
        right, np.cos(elevation) * up + np.sin(elevation) * away,
        np.cos(elevation) * away - np.sin(elevation) * up,
    ])  # fmt: skip
    return _draw(poses3d_cam_mm, skeleton, space, side_px, view, "turned")


def draw_top_view(
    poses3d_cam_mm: Any, skeleton: SkeletonLike, space: Space, side_px: int
) -> np.ndarray:
    """Draws poses as seen from above, with the camera below the panel; see `draw_turned_view`."""
    view = np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]])
    return _draw(poses3d_cam_mm, skeleton, space, side_px, view, "from above")


def _level_rotation(up_cam: np.ndarray) -> np.ndarray:
    """Returns rows right, away, up in camera coordinates."""
    up = up_cam / np.linalg.norm(up_cam)
    forward = np.array([0.0, 0.0, 1.0])
    if abs(up @ forward) > 0.99:  # the camera looks straight up or down
        forward = np.array([0.0, -1.0, 0.0])
    away = forward - (forward @ up) * up
    away /= np.linalg.norm(away)
    return np.stack([np.cross(away, up), away, up])


def _draw(
    poses3d_cam_mm: Any,
    skeleton: SkeletonLike,
    space: Space,
    side_px: int,
    view: np.ndarray,
    title: str,
) -> np.ndarray:
    canvas = np.full([side_px, side_px, 3], _BACKGROUND, np.uint8)
    center = (space.low + space.high) / 2
    corners = np.stack(np.meshgrid(*zip(space.low, space.high)), axis=-1).reshape(-1, 3)
    extent = np.abs((corners - center) @ view[:2].T).max() * 2
    scale = side_px / extent

    def _to_panel(level: np.ndarray) -> np.ndarray:
        seen = (level - center) @ view[:2].T * scale
        return side_px / 2 + seen * [1, -1]

    step = _draw_floor(canvas, space, _to_panel)
    poses = np.reshape(poses3d_cam_mm, [-1, len(skeleton.names), 3])
    level = space.to_level(poses)
    note = ""
    if len(level):
        distances = np.nanmean(level @ view[2], axis=1)
        panel_px = _to_panel(level[np.argsort(-distances)])
        canvas = draw_poses2d(canvas, panel_px, skeleton)
        is_inside = ((panel_px >= 0) & (panel_px < side_px)).all(axis=-1).any(axis=-1)
        if not is_inside.all():
            note = f", {np.sum(~is_inside)} outside"
    text_scale = max(0.3, side_px / 900)
    cv2.putText(
        canvas,
        f"{title}, grid {step:g} m{note}",
        (round(side_px * 0.03), round(side_px * 0.06)),
        cv2.FONT_HERSHEY_SIMPLEX,
        text_scale,
        _TEXT_COLOR,
        max(1, round(1.5 * text_scale)),
        cv2.LINE_AA,
    )
    return canvas


def _draw_floor(canvas: np.ndarray, space: Space, to_panel: Any) -> float:
    """Draws lines at whole multiples of the grid's step, which it returns, in metres."""
    extent = (space.high - space.low)[:2].max()
    step = next((s for s in (0.5, 1.0, 2.0, 5.0, 10.0) if extent / s <= 8), 20.0)
    floor = space.low[2]
    low, high = (np.floor(space.low / step) * step)[:2], (np.ceil(space.high / step) * step)[:2]
    for axis in (0, 1):
        for value in np.arange(low[axis], high[axis] + step / 2, step):
            ends = np.array([[low[0], low[1], floor], [high[0], high[1], floor]])
            ends[:, axis] = value
            first, second = np.rint(to_panel(ends) * 16).astype(int).tolist()
            cv2.line(canvas, tuple(first), tuple(second), _GRID_COLOR, 1, cv2.LINE_AA, 4)
    return step
