from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry.camera import Camera
from metrabs.synthetic.backdrop import paint_environment, viewing_rays
from metrabs.synthetic.environment import ENVIRONMENT_KINDS, sample_environment


@pytest.fixture
def camera() -> Camera:
    camera = Camera.from_fov(60, (192, 256), world_up=(0, 0, 1))
    camera.t = np.array([2000, 500, 1500], np.float32)
    return camera.turn_towards(target_world_point=np.array([0, 0, 900]))


def test_rays_are_the_directions_of_the_pixels(camera):
    rays = viewing_rays(camera, (256, 192))
    pixels = np.array([[0, 0], [255, 0], [17, 100], [255, 191]])
    expected = camera.image_to_camera(pixels) @ camera.R
    np.testing.assert_allclose(rays[pixels[:, 1], pixels[:, 0]], expected, atol=1e-4)


def test_rays_of_a_distorting_lens_are_accurate_to_a_fraction_of_a_pixel(camera):
    camera.distortion_coeffs = np.array([-0.25, 0.15, 0.001, 0, 0], np.float32)
    rays = viewing_rays(camera, (256, 192))
    pixels = np.array([[3, 5], [250, 9], [17, 100], [128, 96]])
    seen = camera.world_to_image(camera.t + 1000 * rays[pixels[:, 1], pixels[:, 0]])
    np.testing.assert_allclose(seen, pixels, atol=0.4)


@pytest.mark.parametrize("kind", ENVIRONMENT_KINDS)
def test_floor_is_below_and_everything_is_painted(kind, camera):
    environment = sample_environment(np.random.default_rng(0), kind)
    image, is_floor = paint_environment(environment, viewing_rays(camera, (256, 192)), camera.t)
    assert np.isfinite(image).all() and image.min() >= 0
    assert is_floor[-1].all() and not is_floor[0].any()
