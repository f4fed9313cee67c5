"""Making miniature datasets whose truth is known: poses, cameras, images, and the check.

The joints of a fake person are coloured dots. They are drawn where the fake's own camera sees
them; the check looks for them in the crops that a converter wrote, where the cache's camera and
coordinates say that they are.
"""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any, Optional

import cv2
import numpy as np

from metrabs.data.examples import Example, Pose2DExample
from metrabs.data.storage.images import read_image
from metrabs.geometry.camera import Camera

BACKGROUND = 70
# Colours that differ clearly from each other and from the grey background.
PALETTE = np.array(
    [color for color in itertools.product((0, 120, 255), repeat=3) if np.ptp(color) > 0]
    + [(190, 60, 0), (0, 190, 60), (60, 0, 190), (255, 60, 190)],
    np.uint8,
)


def marker_pose(num_joints: int, height_mm: float = 1700) -> np.ndarray:
    """Returns [J, 3] joints, mm, spread out over a body-sized region around the origin.

    Its axes: x to the right, y down, z away, as a camera that looks at it sees it. Neighbours are
    far apart, so that dots do not meet in any view from about the front.
    """
    num_columns = 4
    num_rows = -(-num_joints // num_columns)
    order = np.random.default_rng(num_joints).permutation(num_joints)
    column, row = order % num_columns, order // num_columns
    x = (column / (num_columns - 1) - 0.5) * 0.5 * height_mm
    y = (row / max(num_rows - 1, 1) - 0.5) * height_mm
    z = 100.0 * ((column + 2 * row) % 3 - 1)
    return np.stack([x, y, z], axis=1)


def look_at_camera(
    position_mm: Sequence[float],
    target_mm: Sequence[float],
    imsize_wh: tuple[int, int],
    focal_px: float,
    world_up: Sequence[float],
    distortion_coeffs: Any = None,
) -> Camera:
    """Returns an upright camera that looks at a point, which it sees off the image's centre."""
    width, height = imsize_wh
    camera = Camera(
        optical_center=position_mm,
        world_up=world_up,
        intrinsic_matrix=[
            [focal_px, 0, width / 2 + 3],
            [0, focal_px * 1.01, height / 2 - 5],
            [0, 0, 1],
        ],
    )
    camera.turn_towards(target_world_point=target_mm)
    camera.distortion_coeffs = (
        None if distortion_coeffs is None else np.array(distortion_coeffs, np.float32)
    )
    return camera


def project(points_mm: np.ndarray, camera: Camera) -> np.ndarray:
    """Returns [..., J, 2] pixels of world points by OpenCV, not by the code that is tested."""
    rotation, matrix = camera.R.astype(np.float64), camera.intrinsic_matrix.astype(np.float64)
    pixels = cv2.projectPoints(
        np.reshape(points_mm, (-1, 3)).astype(np.float64),
        cv2.Rodrigues(rotation)[0],
        -rotation @ camera.t,
        matrix,
        camera.distortion_coeffs,
    )[0]
    return pixels.reshape(*np.shape(points_mm)[:-1], 2)


def blank_image(imsize_wh: tuple[int, int], level: int = BACKGROUND) -> np.ndarray:
    """Returns a grey image, uint8 [h, w, 3]."""
    return np.full((imsize_wh[1], imsize_wh[0], 3), level, np.uint8)


def draw_markers(image: np.ndarray, joints_px: np.ndarray, radius_px: float = 5) -> np.ndarray:
    """Draws joint i, [J, 2], as a dot of colour i; returns the same image."""
    shift = 6
    for joint_px, color in zip(joints_px, PALETTE):
        if np.isfinite(joint_px).all() and np.abs(joint_px).max() < 1e4:
            center = np.round(joint_px * (1 << shift)).astype(int).tolist()
            cv2.circle(
                image,
                center,
                round(radius_px * (1 << shift)),
                color.tolist(),
                -1,
                cv2.LINE_AA,
                shift,
            )
    return image


def write_image(path: pathlib.Path, image: np.ndarray) -> None:
    """Writes an RGB or grey image, in high quality."""
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 else image
    sampling = [
        cv2.IMWRITE_JPEG_QUALITY,
        98,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    assert cv2.imwrite(str(path), stored, sampling)


def write_video(path: pathlib.Path, images: Iterable[np.ndarray], rate: float = 50) -> None:
    """Writes RGB images as a lossless video; FFmpeg goes by the content, not the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp.avi")
    writer: Optional[cv2.VideoWriter] = None
    for image in images:
        if writer is None:
            size = (image.shape[1], image.shape[0])
            writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*"FFV1"), rate, size)
            assert writer.isOpened()
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    assert writer is not None
    writer.release()
    temporary.rename(path)


def joints_in_crop(example: Example) -> np.ndarray:
    """Returns where the joints are in the crop, [J, 2] pixels, as the example says."""
    if isinstance(example, Pose2DExample):
        return example.coords
    return example.camera.world_to_image(example.world_coords)


def check_markers(
    data_root: pathlib.Path,
    example: Example,
    marker_ids: Sequence[int],
    palette: np.ndarray = PALETTE,
    tolerance_px: float = 1.0,
    radius_px: int = 6,
) -> int:
    """Asserts that the dots of the joints are where the example says.

    Args:
        data_root: Folder to which image paths are relative.
        example: as read from a cache file.
        marker_ids: [J] number of the dot of each joint.
        palette: the dots' colours in the crop, where a converter changes colours.
        tolerance_px: admitted distance.
        radius_px: half side of the window in which a dot is looked for.

    Returns:
        How many joints were found; those outside the crop are not looked for.
    """
    image = read_image(str(data_root / example.image_path)).astype(np.float32)
    background = np.median(image.reshape(-1, 3), axis=0)
    colors = np.concatenate([palette.astype(np.float32), background[np.newaxis]])
    height, width = image.shape[:2]
    num_found = 0
    for marker, (x, y) in zip(marker_ids, joints_in_crop(example)):
        left, top = (int(round(c)) - radius_px if np.isfinite(c) else -1 for c in (x, y))
        right, bottom = left + 2 * radius_px + 1, top + 2 * radius_px + 1
        if left < 0 or top < 0 or right > width or bottom > height:
            continue
        window = image[top:bottom, left:right]
        nearest = np.argmin(np.linalg.norm(window[:, :, np.newaxis] - colors, axis=-1), axis=-1)
        rows, columns = np.nonzero(nearest == marker)
        assert len(rows) >= 5, f"{example.image_path}: no dot {marker} at ({x:.1f}, {y:.1f})"
        distance = np.hypot(columns.mean() + left - x, rows.mean() + top - y)
        assert distance < tolerance_px, f"dot {marker} is {distance:.2f} px away"
        num_found += 1
    return num_found
