from __future__ import annotations

import dataclasses

import numpy as np

from metrabs.synthetic.styles import find_style
from metrabs.synthetic.views import CROP_SIDE, person_box, sample_crop_camera, sample_wide_camera


def test_whole_person_is_in_the_crop_and_fills_most_of_it(person):
    style = dataclasses.replace(find_style("h36m"), truncation_probability=0.0)
    for seed in range(20):
        camera = sample_crop_camera(np.random.default_rng(seed), style, person)
        points = camera.world_to_image(person.vertices_mm)
        assert points.min() >= -1 and points.max() <= CROP_SIDE
        box = person_box(camera, person, (CROP_SIDE, CROP_SIDE))
        assert 0.55 * CROP_SIDE < box[2:].max() < 0.85 * CROP_SIDE


def test_box_is_clipped_to_the_image(person):
    style = dataclasses.replace(find_style("coco"), truncation_probability=1.0)
    for seed in range(20):
        camera = sample_crop_camera(np.random.default_rng(seed), style, person)
        left, top, width, height = person_box(camera, person, (CROP_SIDE, CROP_SIDE))
        assert left >= 0 and top >= 0 and width > 20 and height > 20
        assert left + width <= CROP_SIDE + 1e-3 and top + height <= CROP_SIDE + 1e-3


def test_cameras_keep_the_distance_and_lens_of_the_style(person):
    style = find_style("h36m")
    for seed in range(10):
        camera = sample_crop_camera(np.random.default_rng(seed), style, person)
        distance = np.linalg.norm(camera.t - person.state.positions_mm[0])
        assert 0.8 * style.distance_mm[0] < distance < 1.2 * style.distance_mm[1]
        assert style.distortion[0] <= camera.distortion_coeffs[0] <= style.distortion[1]
        assert camera.t[2] > 0


def test_wide_camera_sees_the_group():
    for seed in range(10):
        camera = sample_wide_camera(np.random.default_rng(seed), 1100, 640, 480)
        across = camera.R[0] * [1, 1, 0]
        ends = np.stack([s * 1100 * across + [0, 0, z] for s in (-1, 1) for z in (100, 1700)])
        assert camera.is_visible(ends, (640, 480)).all()
