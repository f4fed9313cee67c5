"""Placing cameras: around a person for a crop, or before a group for a whole image."""

from __future__ import annotations

from typing import Optional

import numpy as np

from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from metrabs.synthetic.person import Person
from metrabs.synthetic.styles import Style

CROP_SIDE = 256

# How far cameras that face the person stray from the person's front.
_FRONTAL_SPREAD_DEGREES = 35.0


def sample_crop_camera(rng: np.random.Generator, style: Style, person: Person) -> Camera:
    """Draws a camera whose 256 px square image is a crop around a person.

    The crop is cut out of a larger image: the person need not be on the optical axis.

    Args:
        rng: Source of randomness.
        style: gives distance, height, roll, lens and truncation.
        person: Whom to look at.
    """
    joints_mm = person.state.positions_mm
    target = 0.5 * (joints_mm.min(axis=0) + joints_mm.max(axis=0))
    camera = _look_at(rng, style, target, _sample_azimuth(rng, style, person))
    low, high = image_extent(camera, person)
    is_cut = rng.random() < style.truncation_probability
    margin = rng.uniform(0.75, 1.0) if is_cut else rng.uniform(1.25, 1.6)
    scale = CROP_SIDE / (margin * (high - low).max())
    center = 0.5 * (low + high) + (high - low).max() * rng.uniform(-0.06, 0.06, 2)
    if is_cut:
        center += rng.uniform(-0.25, 0.25, 2) * (high - low)
    camera.scale_output(scale)
    camera.shift_to_center(center * scale, (CROP_SIDE, CROP_SIDE))
    return camera


def image_extent(camera: Camera, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """Returns the smallest and the largest image coordinates [2] of a person's skin."""
    points = np.ascontiguousarray(camera.world_to_image(person.vertices_mm).T)
    return points.min(axis=1), points.max(axis=1)


def person_box(
    camera: Camera, person: Person, image_size: tuple[int, int], slack: float = 1.03
) -> np.ndarray:
    """Returns the box [left, top, width, height] of the part of a person inside the image.

    Args:
        camera: the camera of the image.
        person: the person, in front of the camera.
        image_size: (width, height).
        slack: factor on the box before it is clipped.
    """
    low, high = image_extent(camera, person)
    box = boxes.expand(np.concatenate([low, high - low]), slack)
    return boxes.intersection(box, np.array([0, 0, *image_size], np.float32)).astype(np.float32)


def sample_wide_camera(
    rng: np.random.Generator, people_extent_mm: float, width: int, height: int
) -> Camera:
    """Draws a camera that sees a group around the world's origin.

    Args:
        rng: Source of randomness.
        people_extent_mm: how far the group reaches from the origin.
        width, height: Size of the image in pixels.
    """
    fov_degrees = rng.uniform(48, 62)
    half_angle = np.radians(fov_degrees / 2) * min(1.0, width / height)
    distance = (people_extent_mm + 1100) / np.tan(half_angle) + people_extent_mm * 0.3
    azimuth = rng.uniform(-np.pi, np.pi)
    position = np.array(
        [distance * np.cos(azimuth), distance * np.sin(azimuth), rng.uniform(1200, 2200)]
    )
    camera = Camera.from_fov(fov_degrees, (height, width), world_up=(0, 0, 1))
    camera.t = position.astype(np.float32)
    return camera.turn_towards(target_world_point=np.array([0, 0, rng.uniform(700, 1000)]))


def _sample_azimuth(rng: np.random.Generator, style: Style, person: Person) -> float:
    """Direction (radians in the floor plane) in which the camera stands, seen from the person."""
    if rng.random() < style.all_around_probability:
        return rng.uniform(-np.pi, np.pi)
    front = person.state.rotations[0, :, 0]  # the pelvis faces along its x axis
    return np.arctan2(front[1], front[0]) + np.radians(rng.normal(0, _FRONTAL_SPREAD_DEGREES))


def _look_at(rng: np.random.Generator, style: Style, target: np.ndarray, azimuth: float) -> Camera:
    """A camera with unit focal length at the style's distance and height."""
    distance = rng.uniform(*style.distance_mm)
    elevation = rng.uniform(*style.height_mm) - target[2]
    flat = np.sqrt(max(distance**2 - elevation**2, (0.6 * distance) ** 2))
    position = target + np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), elevation])
    position[2] = max(position[2], 100.0)
    camera = Camera(
        optical_center=position,
        intrinsic_matrix=np.eye(3),
        world_up=(0, 0, 1),
        distortion_coeffs=_sample_distortion(rng, style),
    )
    camera.turn_towards(target_world_point=target)
    yaw, pitch = np.radians(rng.uniform(-1, 1, 2) * style.off_axis_degrees)
    return camera.rotate(yaw, 0.5 * pitch, np.radians(rng.normal(0, style.roll_degrees)))


def _sample_distortion(rng: np.random.Generator, style: Style) -> Optional[np.ndarray]:
    """Coefficients k1, k2, p1, p2, k3 of a plausible lens."""
    if style.distortion is None:
        return None
    k1 = rng.uniform(*style.distortion)
    p1, p2 = rng.normal(0, 0.0008, 2)
    return np.array([k1, -0.6 * k1 + rng.normal(0, 0.02), p1, p2, rng.normal(0, 0.005)])
