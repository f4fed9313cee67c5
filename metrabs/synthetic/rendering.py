"""Draws people in their environment as a camera sees them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Optional

import cv2
import numpy as np

from metrabs.geometry.camera import Camera
from metrabs.synthetic import backdrop, clothing, textures
from metrabs.synthetic.environment import Environment
from metrabs.synthetic.lofts import PARTS
from metrabs.synthetic.materials import Light
from metrabs.synthetic.mesh import topology, vertex_normals
from metrabs.synthetic.person import Person
from metrabs.synthetic.rasterizer import Fragments, rasterize
from metrabs.synthetic.solids import paint_solids

_HAIR_PART = PARTS.index("hair")
# Fingers and the like are too small for a soft shadow.
_CASTS_SHADOW = np.array([part not in ("hand", "nose", "ear", "neck") for part in PARTS])


@dataclasses.dataclass(frozen=True)
class Rendering:
    """An image before it goes through a sensor.

    Attributes:
        image: [height, width, 3] float32 RGB, about 0 to 1.
        person_ids: [height, width] int16: index of the person that is seen, -1 for none.
    """

    image: np.ndarray
    person_ids: np.ndarray


def render(
    people: Sequence[Person], environment: Environment, camera: Camera, image_size: tuple[int, int]
) -> Rendering:
    """Renders a scene.

    Args:
        people: whom to draw.
        environment: where they are.
        camera: also with lens distortion. Must be inside the environment.
        image_size: (width, height) in pixels.
    """
    width, height = image_size
    rays = backdrop.viewing_rays(camera, image_size)
    # The environment is smooth and is painted at half the size.
    small, is_floor = backdrop.paint_environment(environment, rays[::2, ::2], camera.t)
    _cast_shadows(small, is_floor, people, environment, camera)
    image = cv2.resize(small, image_size, interpolation=cv2.INTER_LINEAR)
    solid_depths = paint_solids(environment.solids, environment.light, camera, rays, image)
    person_ids = np.full([height, width], -1, np.int16)
    if people:
        _draw_people(image, person_ids, solid_depths, people, environment.light, camera)
    return Rendering(image, person_ids)


def _draw_people(
    image: np.ndarray,
    person_ids: np.ndarray,
    solid_depths: np.ndarray,
    people: Sequence[Person],
    light: Light,
    camera: Camera,
) -> None:
    num_vertices = len(people[0].vertices_mm)
    vertices = np.concatenate([person.vertices_mm for person in people])
    quads = np.concatenate([person.quads + i * num_vertices for i, person in enumerate(people)])
    parts = np.concatenate([person.quad_parts for person in people])
    owners_of_quads = np.repeat(np.arange(len(people)), [len(p.quads) for p in people])
    in_camera = camera.world_to_camera(vertices)
    depths = in_camera[:, 2]
    attributes = np.concatenate([_vertex_attributes(person) for person in people])
    attributes = np.concatenate([attributes, depths[:, np.newaxis]], axis=1)
    points = camera.camera_to_image(np.where(depths[:, np.newaxis] > 1, in_camera, 1))
    fragments = rasterize(points, depths, attributes, quads, (image.shape[1], image.shape[0]))
    fragments = _in_front_of(fragments, solid_depths)
    owners = owners_of_quads[fragments.faces]
    for index, person in enumerate(people):
        chosen = np.flatnonzero(owners == index)
        if len(chosen):
            mine = Fragments(*(values[chosen] for values in fragments))
            colors = _shade(mine, parts[mine.faces], person, light, camera)
            rows, columns, share = mine.rows, mine.columns, mine.coverage[:, np.newaxis]
            image[rows, columns] += share * (colors - image[rows, columns])
            person_ids[rows, columns] = np.where(mine.coverage >= 0.5, index, -1)


def _vertex_attributes(person: Person) -> np.ndarray:
    """[V, 7] normal, paint position, and position along the part."""
    along = topology().along[:, np.newaxis]
    normals = vertex_normals(person.vertices_mm)
    return np.concatenate([normals, person.paint_positions, along], axis=1)


def _in_front_of(fragments: Fragments, solid_depths: np.ndarray) -> Fragments:
    depth = fragments.attributes[:, -1]
    is_seen = depth < solid_depths[fragments.rows, fragments.columns]
    return Fragments(*(values[is_seen] for values in fragments))


def _shade(
    mine: Fragments, parts: np.ndarray, person: Person, light: Light, camera: Camera
) -> np.ndarray:
    """[N, 3] colours of one person's fragments."""
    normals, positions, along = np.split(mine.attributes[:, :7], [3, 6], axis=1)
    squares = np.einsum("ni,ni->n", normals, normals)[:, np.newaxis]
    normals = normals / np.sqrt(squares + np.float32(1e-9))
    albedo = clothing.paint(person.outfit, parts, along[:, 0], positions)
    folds = textures.look_up(
        textures.wrinkle_tile(),
        positions[:, 1] * 0.9 + positions[:, 0] * 0.6,
        positions[:, 2] * 0.4,
    )
    brightness = (0.90 + 0.2 * folds)[:, np.newaxis]
    to_eye = (camera.t - person.state.positions_mm[0]).astype(np.float32)
    half_way = to_eye / np.linalg.norm(to_eye) + light.direction.astype(np.float32)
    half_way /= np.linalg.norm(half_way)
    facing = np.clip(normals @ half_way.astype(np.float32), 0, 1) ** 24
    gloss = person.outfit.gloss * (1 + (parts == _HAIR_PART)) * facing
    lamp = light.lamp.astype(np.float32)
    return albedo * brightness * light.shade(normals) + gloss[:, np.newaxis] * lamp


def _cast_shadows(
    small_image: np.ndarray,
    is_floor: np.ndarray,
    people: Sequence[Person],
    environment: Environment,
    camera: Camera,
) -> None:
    """Darkens the floor where people and solids keep the lamp's light from it, at half size."""
    mask = np.zeros(small_image.shape[:2], np.uint8)
    direction = environment.light.direction
    slope = (direction[:2] / direction[2]).astype(np.float32)
    for person in people:
        points = _floor_points(person.vertices_mm, slope, camera)
        if points is not None:
            _fill_faces(mask, points[person.quads[_CASTS_SHADOW[person.quad_parts]]])
    for solid in environment.solids:
        points = _floor_points(solid.corners_mm().astype(np.float32), slope, camera)
        if points is not None:
            cv2.fillConvexPoly(mask, cv2.convexHull(points), (255,))
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.6, mask.shape[1] / 150)) * is_floor
    lamp = environment.light.lamp.mean()
    lamp /= lamp + environment.light.sky.mean()
    small_image *= (1 - np.float32(0.9 / 255 * lamp) * soft)[..., np.newaxis]


def _fill_faces(mask: np.ndarray, polygons: np.ndarray) -> None:
    """Fills the polygons [F, 4, 2] that turn one way; the shadow has two layers of faces."""
    first, second = polygons[:, 2] - polygons[:, 0], polygons[:, 3] - polygons[:, 1]
    turns = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    for polygon in polygons[turns < 0]:
        cv2.fillConvexPoly(mask, polygon, (255,))


def _floor_points(vertices: np.ndarray, slope: np.ndarray, camera: Camera) -> Optional[np.ndarray]:
    """Points [V, 2] int32 of the shadows at half size; None if any is behind the camera."""
    on_floor = vertices.copy()
    on_floor[:, :2] -= vertices[:, 2:] * slope
    on_floor[:, 2] = 0
    in_camera = camera.world_to_camera(on_floor)
    if in_camera[:, 2].min() < 200:
        return None
    points = camera.camera_to_image(in_camera)
    return np.clip(np.rint(points / 2), -5000, 5000).astype(np.int32)
