from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry.camera import Camera
from metrabs.synthetic.backdrop import viewing_rays
from metrabs.synthetic.materials import Light, Surface
from metrabs.synthetic.solids import Solid, paint_solids

_GREY = Surface(np.full(3, 0.5), np.full(3, 0.5), 0, 500.0)
_LIGHT = Light(np.array([0, 0, 1.0]), np.full(3, 0.4), np.full(3, 0.5), np.full(3, 0.3))


@pytest.fixture
def camera() -> Camera:
    camera = Camera.from_fov(50, (128, 128), world_up=(0, 0, 1))
    camera.t = np.array([5000, 0, 0], np.float32)
    return camera.turn_towards(target_world_point=np.zeros(3))


def _depths(solids: list[Solid], camera: Camera) -> np.ndarray:
    image = np.zeros([128, 128, 3], np.float32)
    depths = paint_solids(solids, _LIGHT, camera, viewing_rays(camera, (128, 128)), image)
    np.testing.assert_array_equal(np.isfinite(depths), image.sum(axis=2) > 0)
    return depths


def test_depth_of_a_box_is_that_of_its_front(camera):
    depths = _depths([Solid(np.zeros(3), np.array([500.0, 400, 300]), 0, False, _GREY)], camera)
    assert depths[64, 64] == pytest.approx(4500, abs=0.5)
    corner = camera.world_to_image(np.array([500, 400, 300]))
    assert np.isfinite(depths[64, :128]).sum() == pytest.approx(2 * abs(corner[0] - 63.5), abs=2)


def test_depth_of_a_ball_is_smallest_in_the_middle(camera):
    depths = _depths([Solid(np.zeros(3), np.full(3, 600.0), 0.4, True, _GREY)], camera)
    assert depths.min() == pytest.approx(4400, abs=1)
    assert depths[63, 63] == pytest.approx(4400, abs=1)
    assert np.isinf(depths[0, 0])


def test_turning_a_box_shows_its_edge(camera):
    depths = _depths([Solid(np.zeros(3), np.full(3, 400.0), np.pi / 4, False, _GREY)], camera)
    assert depths.min() == pytest.approx(5000 - 400 * np.sqrt(2), abs=25)


def test_nearer_solid_wins_and_things_behind_the_camera_are_not_seen(camera):
    near = Solid(np.array([1000.0, 0, 0]), np.full(3, 200.0), 0, False, _GREY)
    far = Solid(np.array([-1000.0, 0, 0]), np.full(3, 200.0), 0, False, _GREY)
    behind = Solid(np.array([9000.0, 0, 0]), np.full(3, 200.0), 0, False, _GREY)
    np.testing.assert_array_equal(
        _depths([near, far], camera)[64, 64], _depths([far, near], camera)[64, 64]
    )
    assert np.isinf(_depths([behind], camera)).all()
