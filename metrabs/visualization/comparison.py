"""Images that compare predictions with the truth: on the input image, and in space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import cv2
import numpy as np

from metrabs.visualization.drawing import SkeletonLike, add_caption, draw_poses2d, enlarge
from metrabs.visualization.palette import Color
from metrabs.visualization.space import draw_poses3d, set_space, space_limits

_TRUTH_ON_IMAGE: Color = (255, 255, 255)
_TRUTH_IN_SPACE: Color = (150, 150, 150)
_SIDE = 480  # of each of the two panels, in pixels
_DPI = 100


def comparison_image(
    image: np.ndarray,
    predicted2d_px: Any,
    true2d_px: Any,
    predicted3d_cam_mm: Any,
    true3d_cam_mm: Any,
    skeleton: SkeletonLike,
    caption: str = "",
) -> np.ndarray:
    """Draws a prediction in colours and the truth in white (on the image) or grey (in space).

    Args:
        image: [S, S, 3] uint8, a crop.
        predicted2d_px: [J, 2]; None if there is none.
        true2d_px: [J, 2].
        predicted3d_cam_mm: [J, 3] in the camera frame.
        true3d_cam_mm: [J, 3].
        skeleton: names and edges of the J joints. NaN points are left out.
        caption: Line of text above the image (ASCII).

    Returns:
        uint8 image, of the same size for any content.
    """
    flat = _on_image(image, predicted2d_px, true2d_px, skeleton)
    space = _in_space(predicted3d_cam_mm, true3d_cam_mm, skeleton)
    return add_caption(np.concatenate([flat, space], axis=1), caption)


def stack_images(images: Sequence[np.ndarray], num_columns: int = 2) -> np.ndarray:
    """Tiles images of one size; missing ones at the end stay white."""
    num_rows = -(-len(images) // num_columns)
    blank = np.full_like(images[0], 255)
    padded = [*images, *[blank] * (num_rows * num_columns - len(images))]
    rows = [padded[i : i + num_columns] for i in range(0, len(padded), num_columns)]
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def _on_image(
    image: np.ndarray, predicted: Optional[Any], true: Any, skeleton: SkeletonLike
) -> np.ndarray:
    enlarged, true = enlarge(image, true, _SIDE)
    enlarged = draw_poses2d(enlarged, true, skeleton, color=_TRUTH_ON_IMAGE)
    if predicted is not None:
        predicted = enlarge(image, predicted, _SIDE)[1]
        enlarged = draw_poses2d(enlarged, predicted, skeleton)
    return cv2.resize(enlarged, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)


def _in_space(predicted: Any, true: Any, skeleton: SkeletonLike) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_SIDE / _DPI, _SIDE / _DPI), dpi=_DPI)
    axes = figure.add_axes((0.01, 0.08, 0.88, 0.92), projection="3d")
    draw_poses3d(axes, true, skeleton, _TRUTH_IN_SPACE)
    draw_poses3d(axes, predicted, skeleton)
    set_space(axes, space_limits([predicted, true]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]
