"""The skin of the synthetic person: tubes of quads around the bones, bent along with them.

Each part of the body is a loft: a chain of elliptic rings in the rest stance, every ring tied to
one bone or to two. Between two bones a ring turns half way, and its spokes keep their length, so
that elbows and knees do not collapse. The topology is the same for everybody (clothes and hair
only change radii), which lets all index arrays be computed once.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from metrabs.synthetic.body import (
    BONE_IDS,
    MIRRORED_BONES,
    REFERENCE_EXTENTS,
    BodyShape,
    BodyState,
    bone_id,
    rest_positions,
)
from metrabs.synthetic.lofts import CENTRAL_LOFTS, PARTS, SIDED_LOFTS, Loft


@dataclasses.dataclass(frozen=True)
class Topology:
    """What all meshes share.

    Attributes:
        quads: [F, 4] vertex indices, counter-clockwise seen from outside; triangles repeat their
            last vertex.
        quad_parts: [F] index into PARTS.
        quad_sides: [F] +1 for central and left parts, -1 for right ones.
        vertex_parts: [V] index into PARTS.
        vertex_sides: [V] like quad_sides.
        vertex_quads: [V, 4] the faces around each vertex, padded with the index F.
        along: [V] position along the part, 0 at the trunk's bottom or the limb's root, 1 at the
            end of the limb (see `clothing`).
    """

    quads: np.ndarray
    quad_parts: np.ndarray
    quad_sides: np.ndarray
    vertex_parts: np.ndarray
    vertex_sides: np.ndarray
    vertex_quads: np.ndarray
    along: np.ndarray


@dataclasses.dataclass(frozen=True)
class RestMesh:
    """The skin of one person in the rest stance.

    Attributes:
        centers_mm: [V, 3] centre of each vertex' ring.
        spokes_mm: [V, 3] from there to the vertex.
        bones: [V, 2] the bones that move the vertex.
        second_weights: [V] influence of the second bone, 0 to 1.
        bone_origins_mm: [28, 3] of the rest stance.
    """

    centers_mm: np.ndarray
    spokes_mm: np.ndarray
    bones: np.ndarray
    second_weights: np.ndarray
    bone_origins_mm: np.ndarray

    @property
    def vertices_mm(self) -> np.ndarray:
        """[V, 3] vertices in the rest stance (pelvis at the origin, facing +x), mm."""
        return self.centers_mm + self.spokes_mm

    def scaled(self, spoke_scale: np.ndarray) -> RestMesh:
        """Returns the mesh with the vertices' distances from their ring centres times [V]."""
        return dataclasses.replace(self, spokes_mm=self.spokes_mm * spoke_scale[:, np.newaxis])


@functools.lru_cache(maxsize=1)
def topology() -> Topology:
    """Returns the connectivity that all meshes share."""
    left = [(loft, 1) for loft in CENTRAL_LOFTS + SIDED_LOFTS]
    lofts = left + [(loft, -1) for loft in SIDED_LOFTS]
    quads, quad_parts, quad_sides, parts, sides, along = [], [], [], [], [], []
    num_vertices = 0
    for loft, side in lofts:
        loft_quads = _loft_quads(len(loft.rings), loft.spokes) + num_vertices
        # Mirroring turns faces inside out.
        is_outward = _advances_outward(loft) == (side > 0)
        quads.append(loft_quads if is_outward else loft_quads[:, ::-1])
        count = len(loft.rings) * loft.spokes + 2
        quad_parts.append(np.full(len(loft_quads), PARTS.index(loft.part)))
        quad_sides.append(np.full(len(loft_quads), side))
        parts.append(np.full(count, PARTS.index(loft.part)))
        sides.append(np.full(count, side))
        steps = np.repeat(np.arange(len(loft.rings)) / (len(loft.rings) - 1), loft.spokes)
        along.append(np.concatenate([steps, [0, 1]]))
        num_vertices += count
    all_quads = np.concatenate(quads)
    return Topology(
        quads=all_quads,
        quad_parts=np.concatenate(quad_parts),
        quad_sides=np.concatenate(quad_sides),
        vertex_parts=np.concatenate(parts),
        vertex_sides=np.concatenate(sides),
        vertex_quads=_faces_around_vertices(all_quads, num_vertices),
        along=np.concatenate(along).astype(np.float32),
    )


def build_mesh(shape: BodyShape) -> RestMesh:
    """Wraps a person in bare skin; use `RestMesh.scaled` for clothes."""
    positions = rest_positions(shape)
    tables = _ring_tables()
    extents = shape.extents[tables.extent_bones]
    sides = topology().vertex_sides
    flip = np.stack([np.ones_like(sides), sides, np.ones_like(sides)], axis=1)
    centers = tables.centers * extents * flip + positions[tables.extent_bones]
    spokes = tables.spokes * np.abs(extents) * flip
    return RestMesh(centers, spokes, tables.bones, tables.weights, positions)


def default_spoke_scale() -> np.ndarray:
    """Returns [V] ones for the bare body and zeros, which hide, for skirt and long hair."""
    parts = topology().vertex_parts
    hidden = (parts == PARTS.index("skirt")) | (parts == PARTS.index("hair"))
    return np.where(hidden, 0.0, 1.0)


def pose_mesh(mesh: RestMesh, state: BodyState) -> np.ndarray:
    """Bends the skin along with the bones.

    Args:
        mesh: skin of the person in the rest stance.
        state: the posed person, of the same shape.

    Returns:
        [V, 3] vertices in the world, mm, float32.
    """
    rotations = state.rotations.astype(np.float32)
    positions = state.positions_mm.astype(np.float32)
    second_weights = mesh.second_weights.astype(np.float32)[:, np.newaxis]
    centers = np.zeros(mesh.centers_mm.shape, np.float32)
    spokes = np.zeros_like(centers)
    rest_spokes = mesh.spokes_mm.astype(np.float32)
    for bones, weights in zip(mesh.bones.T, (1 - second_weights, second_weights)):
        turns = rotations[bones]
        from_origin = (mesh.centers_mm - mesh.bone_origins_mm[bones]).astype(np.float32)
        moved = positions[bones] + np.matmul(turns, from_origin[..., np.newaxis])[..., 0]
        centers += weights * moved
        spokes += weights * np.matmul(turns, rest_spokes[..., np.newaxis])[..., 0]
    lengths = _lengths(rest_spokes) / (_lengths(spokes) + np.float32(1e-6))
    return centers + spokes * lengths


def vertex_normals(vertices: np.ndarray) -> np.ndarray:
    """Returns outward unit normals [V, 3] of posed vertices [V, 3]."""
    shared = topology()
    corners = [vertices[indices] for indices in shared.quads.T]
    a, b = corners[2] - corners[0], corners[3] - corners[1]
    faces = np.zeros([len(shared.quads) + 1, 3], np.float32)
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        faces[:-1, i] = a[:, j] * b[:, k] - a[:, k] * b[:, j]
    normals = sum(faces[indices] for indices in shared.vertex_quads.T)
    return normals / (_lengths(normals) + np.float32(1e-9))


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """[n, 1] Euclidean norms of [n, 3]."""
    return np.sqrt(np.einsum("ni,ni->n", vectors, vectors))[:, np.newaxis]


class _RingTables(NamedTuple):
    extent_bones: np.ndarray
    centers: np.ndarray
    spokes: np.ndarray
    bones: np.ndarray
    weights: np.ndarray


@functools.lru_cache(maxsize=1)
def _ring_tables() -> _RingTables:
    """Everything about vertices that does not depend on the person."""
    rows: list[tuple] = []
    for loft in CENTRAL_LOFTS + SIDED_LOFTS:
        rows += _loft_rows(loft)
    for loft in SIDED_LOFTS:
        rows += [
            (_twin(first), center, spoke, _twin(first), _twin(second), weight)
            for first, center, spoke, _, second, weight in _loft_rows(loft)
        ]
    extent_bones, centers, spokes, first, second, weights = (np.array(c) for c in zip(*rows))
    tables = _RingTables(extent_bones, centers, spokes, np.stack([first, second], axis=1), weights)
    return _with_skirt_on_legs(tables)


def _twin(bone: int) -> int:
    return MIRRORED_BONES[bone]


def _find_bone(stem: str) -> int:
    return BONE_IDS[stem] if stem in BONE_IDS else bone_id("l_" + stem)


def _loft_rows(loft: Loft) -> list[tuple]:
    """One row per vertex: ring after ring, then the two poles that close the ends."""
    rows = []
    angles = np.arange(loft.spokes) * 2 * np.pi / loft.spokes
    cosine, sine = np.cos(angles), np.sin(angles)
    exponent = 2 / loft.power
    unit_u = np.sign(cosine) * np.abs(cosine) ** exponent
    unit_v = np.sign(sine) * np.abs(sine) ** exponent
    for ring in loft.rings:
        first = _find_bone(ring.bone)
        second = _find_bone(ring.second_bone) if ring.second_bone else first
        center = np.array([ring.x, ring.y, ring.z])
        for u, v in zip(unit_u * ring.radius_u, unit_v * ring.radius_v):
            spoke = np.array([u, v, 0.0]) if loft.plane == "xy" else np.array([0.0, v, u])
            rows.append((first, center, spoke, first, second, ring.second_weight))
    for ring in (loft.rings[0], loft.rings[-1]):
        first = _find_bone(ring.bone)
        second = _find_bone(ring.second_bone) if ring.second_bone else first
        center = np.array([ring.x, ring.y, ring.z])
        rows.append((first, center, np.zeros(3), first, second, ring.second_weight))
    return rows


def _with_skirt_on_legs(tables: _RingTables) -> _RingTables:
    """Hangs the skirt's lower rings on the thighs, each half on its own."""
    is_skirt = topology().vertex_parts == PARTS.index("skirt")
    depth = np.clip(-tables.centers[:, 2] - 0.1, 0, 1) * is_skirt
    lateral = tables.spokes[:, 1]
    bones, weights = tables.bones.copy(), tables.weights.copy()
    moved = depth > 0
    bones[moved, 1] = np.where(lateral[moved] >= 0, bone_id("l_thigh"), bone_id("r_thigh"))
    middle = np.clip(np.abs(lateral) * 2.0, 0.5, 1.0)
    weights[moved] = (0.9 * depth * middle)[moved]
    return tables._replace(bones=bones, weights=weights)


def _advances_outward(loft: Loft) -> bool:
    """Returns whether the faces of `_loft_quads` face outward: right-handed rings and advance."""
    first, last = loft.rings[0], loft.rings[-1]
    if loft.plane == "zy":
        return False  # advances along +x, while z to y turns about -x
    if first.bone == last.bone:
        length = REFERENCE_EXTENTS[_find_bone(first.bone), 2]
        return bool((last.z - first.z) * length > 0)
    return first.bone == "pelvis"


def _loft_quads(num_rings: int, spokes: int) -> np.ndarray:
    """[F, 4] faces of one loft, right-handed about the direction from first to last ring."""
    ring = np.arange(num_rings - 1)[:, np.newaxis] * spokes
    here = np.arange(spokes)
    after = (here + 1) % spokes
    sides = np.stack(
        [ring + here, ring + after, ring + spokes + after, ring + spokes + here], axis=-1
    ).reshape(-1, 4)
    first_pole, last_pole = num_rings * spokes, num_rings * spokes + 1
    start = np.stack([after, here, np.full(spokes, first_pole), np.full(spokes, first_pole)], 1)
    last = (num_rings - 1) * spokes
    end = np.stack(
        [last + here, last + after, np.full(spokes, last_pole), np.full(spokes, last_pole)], 1
    )
    return np.concatenate([sides, start, end])


def _faces_around_vertices(quads: np.ndarray, num_vertices: int) -> np.ndarray:
    lists: list[list[int]] = [[] for _ in range(num_vertices)]
    for face, corners in enumerate(quads):
        for vertex in set(corners.tolist()):
            lists[vertex].append(face)
    # Poles touch many faces; four spread around them are enough for a normal.
    chosen = [
        faces if len(faces) <= 4 else faces[:: max(1, len(faces) // 4)][:4] for faces in lists
    ]
    return np.array([faces + [len(quads)] * (4 - len(faces)) for faces in chosen])
