from __future__ import annotations

import numpy as np

from metrabs.synthetic.rasterizer import rasterize

_QUADS = np.array([[0, 1, 2, 3]])


def _square(left: float, top: float, size: float) -> np.ndarray:
    """Corners of a square, in the order that counts as facing the camera."""
    right, bottom = left + size, top + size
    return np.array([[left, top], [left, bottom], [right, bottom], [right, top]], np.float32)


def test_fully_covered_pixels_and_only_those_have_full_coverage():
    points = _square(4.5, 6.5, 10)
    fragments = rasterize(points, np.full(4, 1000.0), points, _QUADS, (32, 32))
    inside = (fragments.columns >= 6) & (fragments.columns <= 13)
    inside &= (fragments.rows >= 8) & (fragments.rows <= 15)
    assert inside.sum() == 64
    assert (fragments.coverage[inside] == 1).all()
    assert 100 <= len(fragments.rows) <= 144


def test_attributes_are_interpolated_linearly():
    points = _square(3, 3, 20)
    fragments = rasterize(points, np.full(4, 1000.0), points, _QUADS, (32, 32))
    inside = fragments.coverage == 1
    np.testing.assert_allclose(
        fragments.attributes[inside, 0], fragments.columns[inside], atol=0.51
    )
    middle = inside & (np.abs(fragments.columns - 13) < 8) & (np.abs(fragments.rows - 13) < 8)
    np.testing.assert_allclose(fragments.attributes[middle, 1], fragments.rows[middle], atol=1e-3)


def test_nearer_face_hides_the_farther_one_in_either_order():
    points = np.concatenate([_square(4, 4, 16), _square(8, 8, 16)])
    quads = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    for near, depths in ((0, [900] * 4 + [1000] * 4), (1, [1000] * 4 + [900] * 4)):
        fragments = rasterize(points, np.array(depths, float), points, quads, (32, 32))
        overlap = (fragments.rows == 14) & (fragments.columns == 14)
        assert fragments.faces[overlap] == near


def test_faces_that_look_away_or_lie_behind_the_camera_are_not_seen():
    points = _square(4, 4, 16)
    away = rasterize(points, np.full(4, 1000.0), points, _QUADS[:, ::-1], (32, 32))
    behind = rasterize(points, np.full(4, -1000.0), points, _QUADS, (32, 32))
    assert len(away.rows) == len(behind.rows) == 0


def test_faces_may_reach_out_of_the_image():
    points = _square(-10, -10, 100)
    fragments = rasterize(points, np.full(4, 1000.0), points, _QUADS, (24, 16))
    assert len(fragments.rows) == 24 * 16
    assert (fragments.coverage == 1).all()
