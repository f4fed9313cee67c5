"""A synthetic person: body, clothes and skin together."""

from __future__ import annotations

import dataclasses

import numpy as np

from metrabs.synthetic import clothing
from metrabs.synthetic.body import BodyState, bone_id, move_body, pose_body
from metrabs.synthetic.lofts import PARTS
from metrabs.synthetic.mesh import RestMesh, build_mesh, pose_mesh, topology
from metrabs.synthetic.outfits import Outfit, sample_outfit
from metrabs.synthetic.poses import sample_pose, stand_on_floor
from metrabs.synthetic.shapes import sample_shape

_IS_ON_HEAD = np.array([part in ("head", "nose", "ear") for part in PARTS])


@dataclasses.dataclass(frozen=True)
class Person:
    """Someone who can be rendered.

    Attributes:
        state: the posed skeleton in the world.
        outfit: the appearance.
        vertices_mm: [V, 3] posed skin in the world.
        paint_positions: [V, 3] where each vertex is on the resting body, see `clothing.paint`.
        quads: [F', 4] the faces that are there (without a skirt where none is worn).
        quad_parts: [F'] index into PARTS.
    """

    state: BodyState
    outfit: Outfit
    vertices_mm: np.ndarray
    paint_positions: np.ndarray
    quads: np.ndarray
    quad_parts: np.ndarray


def sample_person(rng: np.random.Generator, pose_class: str, clothing: str) -> Person:
    """Draws a person who stands (sits, lies...) on the floor around the world's vertical axis.

    Args:
        rng: Source of randomness.
        pose_class: one of `poses.POSE_CLASSES`.
        clothing: One of `outfits.CLOTHING_KINDS`.
    """
    shape = sample_shape(rng)
    state = stand_on_floor(pose_body(shape, sample_pose(rng, pose_class)))
    return clothe(state, sample_outfit(rng, clothing))


def clothe(state: BodyState, outfit: Outfit) -> Person:
    """Puts skin and clothes on a posed skeleton."""
    bare = build_mesh(state.shape)
    directions = _head_units(bare, state)
    shared = topology()
    scale = clothing.spoke_scale(outfit, directions)
    mesh = bare.scaled(scale)
    parts, sides = shared.vertex_parts, shared.vertex_sides
    positions = mesh.vertices_mm * (1750.0 / state.shape.stature_mm)
    positions[:, 1] *= sides
    on_head = _IS_ON_HEAD[parts]
    positions[on_head] = directions[on_head]
    is_worn = (scale[shared.quads] > 0).all(axis=1)
    vertices = pose_mesh(mesh, state)
    vertices[scale == 0] = state.positions_mm[0]  # unused; inside, so that extents are right
    return Person(
        state,
        outfit,
        vertices,
        positions.astype(np.float32),
        shared.quads[is_worn],
        shared.quad_parts[is_worn],
    )


def move_person(person: Person, translation_mm: np.ndarray) -> Person:
    """Returns the same person moved by a world vector in mm."""
    return dataclasses.replace(
        person,
        state=move_body(person.state, translation_mm),
        vertices_mm=person.vertices_mm + translation_mm.astype(np.float32),
    )


def _head_units(bare: RestMesh, state: BodyState) -> np.ndarray:
    """Positions in the resting head's frame in units of its extent, [V, 3]."""
    head = bone_id("head")
    return (bare.vertices_mm - bare.bone_origins_mm[head]) / state.shape.extents[head]
