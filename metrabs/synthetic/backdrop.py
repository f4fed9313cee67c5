"""Paints the environment of people: floor, walls, skyline and sky along the viewing rays."""

from __future__ import annotations

import cv2
import numpy as np

from metrabs.geometry.camera import Camera
from metrabs.synthetic import textures
from metrabs.synthetic.environment import Environment

_RAY_CELLS = 16
_Hits = tuple[np.ndarray, np.ndarray, np.ndarray]


def viewing_rays(camera: Camera, image_size: tuple[int, int]) -> np.ndarray:
    """Returns the world direction of every pixel's ray, with unit depth along the optical axis.

    Args:
        camera: also with lens distortion (interpolated between every 16th pixel).
        image_size: (width, height).

    Returns:
        [height, width, 3] float32.
    """
    width, height = image_size
    num_columns, num_rows = (-(-size // _RAY_CELLS) + 2 for size in image_size)
    x = (np.arange(num_columns) - 0.5) * _RAY_CELLS - 0.5
    y = (np.arange(num_rows) - 0.5) * _RAY_CELLS - 0.5
    grid = np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)
    rays = (camera.image_to_camera(grid) @ camera.R).astype(np.float32)
    size = (num_columns * _RAY_CELLS, num_rows * _RAY_CELLS)
    dense = cv2.resize(rays, size, interpolation=cv2.INTER_LINEAR)
    return dense[_RAY_CELLS : _RAY_CELLS + height, _RAY_CELLS : _RAY_CELLS + width]


def paint_environment(
    environment: Environment, rays: np.ndarray, eye_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Paints what is seen of the floor, the walls and the sky.

    Args:
        environment: What to paint; the eye must be inside its enclosing box.
        rays: [h, w, 3] world directions of unit depth.
        eye_mm: [3] optical centre in the world.

    Returns:
        The image [h, w, 3] float32, and the mask [h, w] of the floor.
    """
    eye = np.asarray(eye_mm, np.float32)
    planes = [np.ascontiguousarray(rays[..., axis]) for axis in range(3)]
    reach_x, reach_y, reach_z = (
        _reach(planes[axis], low - eye[axis], high - eye[axis])
        for axis, (low, high) in enumerate(zip(environment.low_mm, environment.high_mm))
    )
    reach_wall = np.minimum(reach_x, reach_y)
    is_wall = reach_wall < reach_z
    is_floor = ~is_wall & (planes[2] < 0)
    rest = ~is_wall & ~is_floor
    reach = np.minimum(reach_wall, reach_z)
    x, y, z = (eye[axis] + reach * planes[axis] for axis in range(3))
    image = np.empty(rays.shape, np.float32)
    image[is_floor] = environment.floor.paint(x[is_floor], y[is_floor])
    image[is_wall] = environment.walls.paint((x + y)[is_wall], -z[is_wall])
    image[rest] = environment.ceiling.paint(x[rest], y[rest])
    image[is_wall & (reach_x < reach_y)] *= 0.88  # neighbouring walls differ, so that corners show
    if environment.skyline_mm is None:
        image *= _corner_shade(environment, (x, y, z))[..., np.newaxis]
    else:
        _paint_sky(image, environment, (x, y, z), is_wall | rest)
    return image, is_floor


def _reach(rays: np.ndarray, low: float, high: float) -> np.ndarray:
    """Ray lengths to the inner walls of a slab around the eye, along one axis."""
    safe = np.where(np.abs(rays) < 1e-7, np.float32(1e-7), rays)
    return np.where(safe > 0, np.float32(high), np.float32(low)) / safe


def _corner_shade(environment: Environment, hits: _Hits) -> np.ndarray:
    """Darkens rooms towards their edges: [h, w]."""
    gaps = [
        np.minimum(hit - np.float32(low), np.float32(high) - hit)
        for hit, low, high in zip(hits, environment.low_mm, environment.high_mm)
    ]
    # The smallest gap is about zero (the surface itself), the second one leads to the edge.
    first, second = np.minimum(gaps[0], gaps[1]), np.maximum(gaps[0], gaps[1])
    to_edge = np.maximum(first, np.minimum(second, gaps[2]))
    return np.clip(0.72 + to_edge / 2500, 0.72, 1.0)


def _paint_sky(
    image: np.ndarray, environment: Environment, hits: _Hits, is_far: np.ndarray
) -> None:
    assert environment.skyline_mm is not None
    x, y, z = hits
    ridge = textures.wrinkle_tile()[0]
    along = ((x - y) * (256 / 30000.0)).astype(np.int32) & 255
    is_sky = is_far & (z > environment.skyline_mm * (0.4 + 1.2 * ridge[along]))
    fade = np.clip(z[is_sky] / 25000, 0, 1)[:, np.newaxis]
    haze = np.array([0.86, 0.89, 0.93], np.float32)
    image[is_sky] = haze + fade * (environment.ceiling.color.astype(np.float32) - haze)
