from __future__ import annotations

import numpy as np

from metrabs.synthetic import body, shapes
from metrabs.synthetic.lofts import PARTS
from metrabs.synthetic.mesh import (
    build_mesh,
    default_spoke_scale,
    pose_mesh,
    topology,
    vertex_normals,
)
from metrabs.synthetic.poses import sample_pose


def _signed_volume(vertices: np.ndarray, quads: np.ndarray) -> float:
    a, b, c, d = (vertices[quads[:, i]].astype(np.float64) for i in range(4))
    return float(
        (np.einsum("ni,ni->n", a, np.cross(b, c)) + np.einsum("ni,ni->n", a, np.cross(c, d))).sum()
        / 6
    )


def test_every_part_is_closed_and_looks_outward():
    shape = shapes.reference_shape()
    vertices = build_mesh(shape).vertices_mm
    shared = topology()
    for part_index, part in enumerate(PARTS):
        for side in (1, -1):
            chosen = (shared.quad_parts == part_index) & (shared.quad_sides == side)
            if chosen.any():
                quads = shared.quads[chosen]
                assert _signed_volume(vertices, quads) > 0, (part, side)
                edges = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
                edges = edges[edges[:, 0] != edges[:, 1]]
                forward = {tuple(edge) for edge in edges.tolist()}
                assert all((b, a) in forward for a, b in forward), (part, side)


def test_body_has_a_plausible_volume():
    shared = topology()
    volume_litres = (
        _signed_volume(
            build_mesh(shapes.reference_shape()).vertices_mm,
            shared.quads[_is_body(shared.quad_parts)],
        )
        / 1e6
    )
    assert 55 < volume_litres < 110


def _is_body(parts: np.ndarray) -> np.ndarray:
    return (parts != PARTS.index("skirt")) & (parts != PARTS.index("hair"))


def test_rest_pose_leaves_the_mesh_as_built():
    shape = shapes.sample_shape(np.random.default_rng(0))
    mesh = build_mesh(shape)
    posed = pose_mesh(mesh, body.pose_body(shape, body.rest_pose()))
    np.testing.assert_allclose(posed, mesh.vertices_mm, atol=0.01)


def test_mirrored_pose_gives_the_mirrored_skin():
    rng = np.random.default_rng(1)
    shape, pose = shapes.sample_shape(rng), sample_pose(rng, "wild")
    mesh = build_mesh(shape)
    vertices = pose_mesh(mesh, body.pose_body(shape, pose))
    mirrored = pose_mesh(mesh, body.pose_body(shape, body.mirror_pose(pose)))
    sides = topology().vertex_sides
    arm = topology().vertex_parts == PARTS.index("arm")
    np.testing.assert_allclose(
        mirrored[arm & (sides < 0)], vertices[arm & (sides > 0)] * [1, -1, 1], atol=0.05
    )


def test_bent_limbs_keep_their_girth():
    shape = shapes.reference_shape()
    pose = body.rest_pose()
    pose.angles[body.bone_id("l_shin"), 0] = -120
    mesh = build_mesh(shape)
    straight = pose_mesh(mesh, body.pose_body(shape, body.rest_pose()))
    bent = pose_mesh(mesh, body.pose_body(shape, pose))
    # The ring at the knee consists of 14 vertices; opposite ones are 7 apart.
    leg = np.flatnonzero(
        (topology().vertex_parts == PARTS.index("leg")) & (topology().vertex_sides > 0)
    )
    ring = leg[7 * 14 : 8 * 14]
    for vertices in (straight, bent):
        widths = np.linalg.norm(vertices[ring[:7]] - vertices[ring[7:]], axis=1)
        assert (widths > 60).all() and (widths < 140).all()


def test_normals_are_unit_vectors_that_point_away_from_the_ring_centres():
    shape = shapes.reference_shape()
    mesh = build_mesh(shape)
    normals = vertex_normals(mesh.vertices_mm.astype(np.float32))
    shown = np.linalg.norm(mesh.spokes_mm, axis=1) > 1
    assert np.allclose(np.linalg.norm(normals[shown], axis=1), 1, atol=1e-3)
    assert (np.einsum("ni,ni->n", normals, mesh.spokes_mm)[shown] > 0).mean() > 0.97


def test_bare_body_wears_neither_skirt_nor_long_hair():
    hidden = default_spoke_scale() == 0
    assert {PARTS[part] for part in topology().vertex_parts[hidden]} == {"skirt", "hair"}
