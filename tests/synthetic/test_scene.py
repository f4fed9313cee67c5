from __future__ import annotations

import numpy as np
import pytest

from metrabs.synthetic.joints import joints_of
from metrabs.synthetic.scene import render_person_crop, render_scene
from metrabs.synthetic.styles import STYLES, find_style


@pytest.mark.parametrize("name", STYLES)
def test_crops_of_every_style_show_the_annotated_person(name):
    crop = render_person_crop(np.random.default_rng(11), find_style(name))
    assert crop.image.shape == (256, 256, 3) and crop.image.dtype == np.uint8
    assert crop.mask.sum() > 300
    left, top, width, height = crop.box_px
    rows, columns = np.nonzero(crop.mask)
    assert columns.min() >= left - 2 and columns.max() <= left + width + 2
    assert rows.min() >= top - 2 and rows.max() <= top + height + 2
    points = crop.camera.world_to_image(joints_of(crop.person.state))
    inside = ((points >= [left, top]) & (points < [left + width, top + height])).all(axis=1)
    assert inside.mean() > 0.3


def test_same_generator_state_gives_the_same_crop():
    first, second = (
        render_person_crop(np.random.default_rng(3), find_style("agora")) for _ in range(2)
    )
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.mask, second.mask)


def test_no_image_is_black_white_or_flat():
    for seed, name in enumerate(STYLES):
        image = render_person_crop(np.random.default_rng(seed), find_style(name)).image
        assert 10 < image.mean() < 235 and image.std() > 6


def test_scene_shows_all_people():
    scene = render_scene(np.random.default_rng(0), 3, 640, 480)
    assert scene.image.shape == (480, 640, 3)
    assert scene.joints_mm.shape == (3, 555, 3) and scene.boxes_px.shape == (3, 4)
    for index, joints in enumerate(scene.joints_mm):
        assert (scene.person_ids == index).sum() > 1000
        points = np.rint(scene.camera.world_to_image(joints)).astype(int)
        inside = ((points >= 0) & (points < [640, 480])).all(axis=1)
        seen = scene.person_ids[points[inside, 1], points[inside, 0]]
        assert inside.mean() > 0.95 and (seen >= 0).mean() > 0.85


@pytest.mark.parametrize("size", [(320, 240), (301, 457)])
def test_scenes_come_in_any_size(size):
    scene = render_scene(np.random.default_rng(5), 1, *size)
    assert scene.image.shape == (size[1], size[0], 3)
    assert (scene.person_ids == 0).any()
