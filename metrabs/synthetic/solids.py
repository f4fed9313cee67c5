"""Boxes and ellipsoids that stand around: furniture, bushes, balls.

They are intersected with the viewing rays, so that they hide people and are hidden by them
correctly.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Optional

import numpy as np

from metrabs.geometry.camera import Camera
from metrabs.synthetic.materials import Light, Surface


@dataclasses.dataclass(frozen=True)
class Solid:
    """A box or an ellipsoid.

    Attributes:
        center_mm: [3] in the world.
        half_sizes_mm: [3].
        yaw: rotation about the vertical, radians.
        is_round: ellipsoid instead of box.
        surface: its paint.
    """

    center_mm: np.ndarray
    half_sizes_mm: np.ndarray
    yaw: float
    is_round: bool
    surface: Surface

    def corners_mm(self) -> np.ndarray:
        """Returns the [8, 3] corners of the box (around the ellipsoid) in the world."""
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T
        return (signs * self.half_sizes_mm) @ self.rotation().T + self.center_mm

    def rotation(self) -> np.ndarray:
        """Returns the [3, 3] rotation from the solid's frame to the world."""
        cosine, sine = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def paint_solids(
    solids: Sequence[Solid], light: Light, camera: Camera, rays: np.ndarray, image: np.ndarray
) -> np.ndarray:
    """Paints solids into an image, in place.

    Args:
        solids: what to paint.
        light: illumination.
        camera: Camera of the image.
        rays: [h, w, 3] world directions of the pixels, of unit depth.
        image: [h, w, 3] float32, is changed.

    Returns:
        [h, w] depth of the nearest solid in mm, infinite where there is none.
    """
    depths = np.full(rays.shape[:2], np.inf, np.float32)
    for solid in solids:
        window = _window_of(solid, camera, (rays.shape[0], rays.shape[1]))
        if window is None:
            continue
        depth, normals, points = _intersect(solid, rays[window], camera.t)
        is_nearer = depth < depths[window]
        rows, columns = np.nonzero(is_nearer)
        points, normals = points[rows, columns], normals[rows, columns]
        u = np.where(np.abs(normals[:, 0]) > 0.7, points[:, 1], points[:, 0])
        v = np.where(np.abs(normals[:, 2]) > 0.7, points[:, 1], -points[:, 2])
        world_normals = normals @ solid.rotation().T.astype(np.float32)
        colors = solid.surface.paint(u, v) * light.shade(world_normals)
        image[window][rows, columns] = colors
        depths[window][rows, columns] = depth[rows, columns]
    return depths


def _window_of(
    solid: Solid, camera: Camera, shape_hw: tuple[int, int]
) -> Optional[tuple[slice, slice]]:
    """The part of the image that a solid may cover; None if it is out of view."""
    corners = camera.world_to_camera(solid.corners_mm().astype(np.float32))
    if corners[:, 2].max() < 100:
        return None
    if corners[:, 2].min() < 100:
        return slice(0, shape_hw[0]), slice(0, shape_hw[1])
    points = camera.camera_to_image(corners)
    low = np.clip(np.floor(points.min(axis=0)) - 2, 0, None).astype(int)
    high = np.clip(np.ceil(points.max(axis=0)) + 3, 0, shape_hw[::-1]).astype(int)
    if (high <= low).any():
        return None
    return slice(low[1], high[1]), slice(low[0], high[0])


def _intersect(
    solid: Solid, rays: np.ndarray, eye_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depths [h, w] (infinite: missed), normals and points [h, w, 3] in the solid's frame."""
    rotation = solid.rotation().astype(np.float32)
    sizes = solid.half_sizes_mm.astype(np.float32)
    local_rays = rays @ rotation
    origin = (np.asarray(eye_mm, np.float64) - solid.center_mm).astype(np.float32) @ rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        if solid.is_round:
            depth, normals = _meet_sphere(local_rays / sizes, origin / sizes)
            normals = normals / sizes
            normals /= np.linalg.norm(normals, axis=2, keepdims=True) + 1e-9
        else:
            depth, normals = _meet_cube(local_rays / sizes, origin / sizes)
    depth = np.where(depth > 100, depth, np.inf).astype(np.float32)
    points = origin + np.where(np.isfinite(depth), depth, 0)[..., np.newaxis] * local_rays
    return depth, normals.astype(np.float32), points


def _meet_sphere(rays: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a = (rays**2).sum(axis=2)
    half_b = rays @ origin
    discriminant = half_b**2 - a * (origin @ origin - 1)
    depth = (-half_b - np.sqrt(np.maximum(discriminant, 0))) / a
    depth = np.where(discriminant > 0, depth, np.inf)
    return depth, origin + np.where(np.isfinite(depth), depth, 0)[..., np.newaxis] * rays


def _meet_cube(rays: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inverse = 1 / rays
    one, other = (-1 - origin) * inverse, (1 - origin) * inverse
    enter, leave = np.minimum(one, other), np.maximum(one, other)
    axis = enter.argmax(axis=2)
    near = enter.max(axis=2)
    depth = np.where(near < leave.min(axis=2), near, np.inf)
    normals = -np.sign(rays) * (axis[..., np.newaxis] == np.arange(3))
    return depth, normals
