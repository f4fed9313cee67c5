"""3D panels of figures: poses in the camera's frame, drawn upright in metres (matplotlib)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Optional

import numpy as np

from metrabs.geometry import MM_PER_M
from metrabs.visualization.drawing import SkeletonLike
from metrabs.visualization.palette import SIDE_COLORS, Color, edge_side, joint_sides, unit_rgb

_MIN_LABELLED_LENGTH = 0.1  # of an axis compared with the longest one; there is no room on shorter


def draw_poses3d(
    axes: Any, poses3d_cam_mm: Any, skeleton: SkeletonLike, color: Optional[Color] = None
) -> None:
    """Draws poses into axes with a 3D projection.

    Args:
        axes: Matplotlib axes.
        poses3d_cam_mm: [n, J, 3] or [J, 3] in the camera frame (x right, y down, z forward);
            joints with NaN, and bones to them, are left out.
        skeleton: names and edges of the J joints.
        color: Color of all bones and joints; default: the colours of their sides.
    """
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    sides = joint_sides(skeleton.names)
    poses = _to_plot(poses3d_cam_mm).reshape(-1, len(sides), 3)
    joint_colors = np.array([unit_rgb(color or SIDE_COLORS[side]) for side in sides])
    for pose in poses:
        is_valid = np.isfinite(pose).all(axis=1)
        edges = [edge for edge in skeleton.edges if is_valid[list(edge)].all()]
        colors = [unit_rgb(color or SIDE_COLORS[edge_side(sides, edge)]) for edge in edges]
        segments = [pose[list(edge)] for edge in edges]
        if segments:
            axes.add_collection3d(Line3DCollection(segments, colors=colors, linewidths=2))
        axes.scatter(*pose[is_valid].T, s=5, c=joint_colors[is_valid], depthshade=False)


def space_limits(all_poses: Iterable[Any]) -> np.ndarray:
    """Returns [2, 3] lower and upper limits that hold all poses, at least 1.2 m apart.

    Args:
        all_poses: arrays [..., 3] in the camera frame, mm; what is not finite does not count.
    """
    points = np.concatenate([np.zeros((0, 3))] + [_to_plot(p).reshape(-1, 3) for p in all_poses])
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        points = np.zeros((1, 3))
    low, high = points.min(axis=0), points.max(axis=0)
    half = np.maximum((high - low) * 1.08, 1.2) / 2
    return np.stack([(low + high) / 2 - half, (low + high) / 2 + half])


def set_space(axes: Any, limits: np.ndarray) -> None:
    """Makes 3D axes show the space of `space_limits`, upright and with equal scales."""
    from matplotlib.ticker import MaxNLocator

    axes.set(xlim=limits[:, 0], ylim=limits[:, 1], zlim=limits[:, 2])
    spans = limits[1] - limits[0]
    axes.set_box_aspect(spans / spans.max(), zoom=1.02)
    axes.view_init(elev=12, azim=-72)
    for i, (axis, label) in enumerate(
        ((axes.xaxis, "right [m]"), (axes.yaxis, "away [m]"), (axes.zaxis, "up [m]"))
    ):
        relative_length = spans[i] / spans.max()
        num_ticks = int(np.clip(round(5 * relative_length), 1, 5))
        axis.set_major_locator(MaxNLocator(num_ticks, steps=[1, 2, 5, 10]))
        axis.set_tick_params(labelsize=7, pad=-1)
        if relative_length < _MIN_LABELLED_LENGTH:
            axis.set_ticks([])
        else:
            axis.set_label_text(label, fontsize=8)
        axis.labelpad = 1
        axis.set_pane_color((0.96, 0.96, 0.97, 1))


def _to_plot(points_cam_mm: Any) -> np.ndarray:
    """Turns camera coordinates in mm to the plot's: x right, y away, z up, in metres."""
    points = np.asarray(points_cam_mm, np.float64) / MM_PER_M
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)
