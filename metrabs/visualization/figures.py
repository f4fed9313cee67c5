"""Figures of poses in space next to their image, and of latent points on a person (matplotlib).

Functions return a matplotlib figure for `save_figure`; no display is needed or touched.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from metrabs.files import PathLike, atomic_path
from metrabs.geometry import MM_PER_M
from metrabs.visualization.drawing import SkeletonLike, draw_boxes, draw_poses2d, enlarge
from metrabs.visualization.palette import SIDE_COLORS, joint_sides, unit_rgb
from metrabs.visualization.space import draw_poses3d, set_space, space_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MIN_IMAGE_SIDE = 800
_GREY = "0.45"


@dataclasses.dataclass(frozen=True)
class PoseView:
    """Poses of one skeleton format, to be shown in a panel of their own.

    Attributes:
        title: above the panel.
        poses3d_cam_mm: [n, J, 3] in the camera frame (x right, y down, z forward).
        skeleton: names and edges of the J joints.
    """

    title: str
    poses3d_cam_mm: Any
    skeleton: SkeletonLike


def save_figure(figure: Figure, path: PathLike, dpi: int = 120) -> None:
    """Writes a figure to a file; the suffix chooses the format (.png, .svg, .pdf)."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi)


def pose_figure(
    image: np.ndarray,
    views: Sequence[PoseView],
    poses2d_px: Any = None,
    overlay_skeleton: Optional[SkeletonLike] = None,
    boxes_ltwh_px: Any = None,
    max_columns: int = 4,
) -> Figure:
    """Draws an image with its 2D poses and, next to it, the 3D poses in several formats.

    All panels show the same part of space, upright, with equal scales in metres.

    Args:
        image: [h, w, 3] uint8 RGB.
        views: the 3D panels.
        poses2d_px: [n, J, 2] to draw on the image.
        overlay_skeleton: Skeleton of the 2D poses; default: that of the first view.
        boxes_ltwh_px: [n, >= 4] to draw on the image.
        max_columns: Maximum number of 3D panels per row.
    """
    num_columns = max(1, min(max_columns, len(views)))
    num_rows = max(1, -(-len(views) // num_columns))
    figure = _new_figure(3.6 * (num_columns + 1.4), max(3.6 * num_rows, 4.2))
    grid = figure.add_gridspec(
        num_rows, num_columns + 1, width_ratios=[1.4] + [1] * num_columns,
        left=0.02, right=0.95, bottom=0.04, top=0.94, wspace=0.22, hspace=0.12,
    )  # fmt: skip
    if overlay_skeleton is None and views:
        overlay_skeleton = views[0].skeleton
    image_axes = figure.add_subplot(grid[:, 0])
    image_axes.imshow(_image_with_overlay(image, poses2d_px, overlay_skeleton, boxes_ltwh_px))
    image_axes.set_axis_off()
    limits = space_limits(view.poses3d_cam_mm for view in views)
    for i, view in enumerate(views):
        axes: Any = figure.add_subplot(
            grid[i // num_columns, 1 + i % num_columns], projection="3d"
        )
        draw_poses3d(axes, view.poses3d_cam_mm, view.skeleton)
        set_space(axes, limits)
        axes.set_title(view.title, fontsize=11, pad=2)
    return figure


def latent_points_figure(
    weights: Any,
    pose3d_cam_mm: Any,
    skeleton: SkeletonLike,
    latent_sides: Optional[Sequence[str]] = None,
    num_lines: int = 4,
) -> Figure:
    """Draws the latent points of an autoencoder on a person, from the front and from the side.

    Joints are small and grey; the latent points are coloured by side, and linked by lines to the
    joints with the largest weights, the wider the larger.

    Args:
        weights: [J, L] encoder weights: `latent_l = sum_j joint_j * weights[j, l]`.
        pose3d_cam_mm: [J, 3] without missing joints, mm.
        skeleton: names and edges of the J joints.
        latent_sides: 'left', 'right' or 'center' for each latent point; default: the side on
            which a latent point has most of its weights' magnitude.
        num_lines: joints to link each latent point to.
    """
    weights, pose = np.asarray(weights, np.float64), np.asarray(pose3d_cam_mm, np.float64)
    latents = weights.T @ pose
    sides = latent_sides or _sides_of_latents(weights, joint_sides(skeleton.names))
    center = (pose.min(axis=0) + pose.max(axis=0)) / 2
    points, latent_points = (pose - center) / MM_PER_M, (latents - center) / MM_PER_M
    everything = np.concatenate([points, latent_points])  # latents may lie outside the body
    half_extents = np.maximum(1.08 * np.abs(everything).max(axis=0), 0.25)
    panels = [("from the camera", 0), ("from the side", 2)]
    widths = [half_extents[horizontal] for _, horizontal in panels]
    scale = 4.5 / half_extents[1]  # inches per metre, twice
    figure = _new_figure(scale * sum(widths) + 1.8, scale * half_extents[1] + 1.6)
    grid = figure.add_gridspec(1, 2, width_ratios=widths)
    for i, (title, horizontal) in enumerate(panels):
        axes = figure.add_subplot(grid[i])
        plane = np.zeros((3, 2))
        plane[horizontal, 0], plane[1, 1] = 1, -1  # up is the camera's negative y axis
        _draw_latents(
            axes, points @ plane, latent_points @ plane, weights, sides, skeleton, num_lines
        )
        axes.set(
            title=title,
            xlim=(-half_extents[horizontal], half_extents[horizontal]),
            ylim=(-half_extents[1], half_extents[1]),
            xlabel="right [m]" if horizontal == 0 else "away [m]",
            ylabel="up [m]" if i == 0 else "",
        )
    handles = [
        axes.scatter(
            [], [], s=45, color=unit_rgb(color), edgecolor="0.15", label=f"latent, {side}"
        )
        for side, color in SIDE_COLORS.items()
    ]
    handles.append(axes.scatter([], [], s=8, color=_GREY, label="joint"))
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    figure.legend(handles=handles, loc="lower center", ncols=2, frameon=False)
    return figure


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def _image_with_overlay(
    image: np.ndarray, poses2d: Any, skeleton: Optional[SkeletonLike], boxes: Any
) -> np.ndarray:
    poses2d = np.zeros((0, 1, 2)) if poses2d is None else np.asarray(poses2d, np.float64)
    enlarged, poses2d = enlarge(image, poses2d, _MIN_IMAGE_SIDE)
    if boxes is not None and len(boxes):
        factor = enlarged.shape[0] / image.shape[0]
        enlarged = draw_boxes(enlarged, np.asarray(boxes, np.float64)[:, :4] * factor)
    return enlarged if skeleton is None else draw_poses2d(enlarged, poses2d, skeleton)


def _sides_of_latents(weights: np.ndarray, sides: Sequence[str]) -> list[str]:
    magnitudes = np.abs(weights)
    shares = {side: magnitudes[[s == side for s in sides]].sum(axis=0) for side in SIDE_COLORS}
    asymmetry = (shares["left"] - shares["right"]) / magnitudes.sum(axis=0)
    return ["center" if abs(a) < 0.2 else "left" if a > 0 else "right" for a in asymmetry]


def _draw_latents(
    axes: Axes,
    points: np.ndarray,
    latent_points: np.ndarray,
    weights: np.ndarray,
    sides: Sequence[str],
    skeleton: SkeletonLike,
    num_lines: int,
) -> None:
    for a, b in skeleton.edges:
        axes.plot(*points[[a, b]].T, color="0.8", linewidth=0.6, zorder=1)
    axes.scatter(points[:, 0], points[:, 1], s=4, color=_GREY, zorder=2)
    for latent, (point, side) in enumerate(zip(latent_points, sides)):
        color = unit_rgb(SIDE_COLORS[side])
        magnitudes = np.abs(weights[:, latent])
        for joint in np.argsort(magnitudes)[::-1][:num_lines]:
            line_width = 0.4 + 1.6 * magnitudes[joint] / magnitudes.max()
            ends = np.stack([point, points[joint]])
            axes.plot(*ends.T, color=color, linewidth=line_width, alpha=0.7, zorder=3)
        axes.scatter(
            point[0], point[1], s=38, color=color, edgecolor="0.15", linewidth=0.8, zorder=4
        )
    axes.set_aspect("equal")
    axes.grid(color="0.93")
    axes.set_axisbelow(True)
