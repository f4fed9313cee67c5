"""Drawing of results: the image with boxes and skeletons, and two views of the poses in 3D."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from metrabs.estimator.client import FramePoses
from metrabs.predict.cameras import CameraChoice
from metrabs.skeletons.tables import Skeleton
from metrabs.visualization.drawing import draw_boxes, draw_poses2d
from metrabs.visualization.space_view import Space, draw_top_view, draw_turned_view, space_of

_MIN_SIDE, _MAX_SIDE = 720, 1600
_OUTLIERS_PERCENT = 1.0
_MAX_RELATIVE_DISTANCE = 3.0


def space_of_frames(frames: Sequence[FramePoses], camera: CameraChoice) -> Space:
    """Chooses the space to show for all frames of a video, or for one image.

    People in the far background, at more than three times the distance of the nearest ones, may
    be outside, since all others would become tiny; the views say how many are.
    """
    percentile = _OUTLIERS_PERCENT if len(frames) > 1 else 0.0
    poses = np.concatenate([camera.to_camera_frame(frame.poses3d_mm) for frame in frames])
    if len(poses):
        distances = np.linalg.norm(np.nanmean(poses, axis=1), axis=-1)
        nearest = np.nanpercentile(distances, percentile)
        poses = poses[distances <= _MAX_RELATIVE_DISTANCE * nearest]
    return space_of([poses], camera.up_in_camera, percentile)


def draw_overlay(
    image: np.ndarray, poses: FramePoses, skeleton: Skeleton, camera: CameraChoice, space: Space
) -> np.ndarray:
    """Draws the image with its people, and next to it the 3D views.

    Args:
        image: uint8 RGB `[h, w, 3]`; large ones are reduced, small ones enlarged.
        poses: People to draw.
        skeleton: Names and edges of their joints.
        camera: Camera in whose frame the views are drawn.
        space: Part of space that the views show.

    Returns:
        uint8 RGB; height and width are even, as videos require.
    """
    resized, scale = _resize(image)
    boxes = np.asarray(poses.boxes_ltwh_px) * scale
    labels = [f"{score:.2f}" for score in poses.scores]
    drawn = draw_boxes(resized, boxes, labels)
    drawn = draw_poses2d(drawn, (poses.poses2d_px + 0.5) * scale - 0.5, skeleton)
    poses3d_cam_mm = camera.to_camera_frame(poses.poses3d_mm)
    side = drawn.shape[0] // 2
    views = [
        draw(poses3d_cam_mm, skeleton, space, side) for draw in (draw_turned_view, draw_top_view)
    ]
    return np.concatenate([drawn, np.concatenate(views)], axis=1)


def _resize(image: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the image at display size, with a height divisible by 4, and the scale."""
    height, width = image.shape[:2]
    longer = max(height, width)
    scale = np.clip(longer, _MIN_SIDE, _MAX_SIDE) / longer
    new_height = max(4, round(height * scale / 4) * 4)
    scale = new_height / height
    new_width = max(2, round(width * scale / 2) * 2)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, (new_width, new_height), interpolation=interpolation), scale
