from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_preparation.common import crop_images
from data_preparation.common.crop_geometry import DEFAULT_CROP, CropOptions, plan_crop
from data_preparation.common.crop_images import (
    SourceMask,
    best_component,
    render_crop,
    render_mask,
    write_jpeg,
)
from metrabs.data.examples import Pose2DExample, Pose3DExample
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from tests.data_preparation.fakes.toolkit import look_at_camera

IMSHAPE = (480, 640, 3)


def plan_of(box, distorted=True, options=DEFAULT_CROP, imshape=IMSHAPE):
    coefficients = [-0.2, 0.1, 0.001, -0.001, 0.0] if distorted else None
    camera = look_at_camera(
        (300, 1400, 5000), (0, 900, 0), imshape[1::-1], 600, (0, 1, 0), coefficients
    )
    example = Pose3DExample("a.jpg", np.zeros((1, 3)), np.array(box, np.float32), camera)
    return plan_crop(example, imshape, options)


def smooth_image(imshape=IMSHAPE):
    coarse = np.random.default_rng(0).uniform(0, 255, (imshape[0] // 20, imshape[1] // 20, 3))
    return cv2.resize(coarse.astype(np.float32), imshape[1::-1]).astype(np.uint8)


@pytest.mark.parametrize("distorted", [True, False])
@pytest.mark.parametrize("box", [(250, 100, 90, 200), (560, 300, 70, 170), (-20, 5, 60, 100)])
def test_working_on_a_part_of_the_image_changes_nothing(monkeypatch, box, distorted):
    image, plan = smooth_image(), plan_of(box, distorted)
    part = render_crop(image, plan)
    monkeypatch.setattr(crop_images, "_visible_region", lambda plan, imshape: None)
    whole = render_crop(image, plan)
    assert np.abs(part.astype(int) - whole).max() <= 2


def test_a_part_is_really_a_part():
    left, top, right, bottom = crop_images._visible_region(plan_of((250, 100, 60, 90)), IMSHAPE)
    assert (right - left) * (bottom - top) < 0.4 * IMSHAPE[0] * IMSHAPE[1]


def test_a_crop_that_looks_backwards_is_rendered_from_the_whole_image():
    plan = plan_of((250, 100, 90, 200))
    plan.new_camera.rotate(yaw=2)
    assert crop_images._visible_region(plan, IMSHAPE) is None


def test_colours_of_a_flat_image_stay():
    image = np.full(IMSHAPE, (200, 90, 7), np.uint8)
    crop = render_crop(image, plan_of((250, 150, 90, 150)))
    middle = crop[crop.shape[0] // 2, crop.shape[1] // 2].astype(int)
    assert np.abs(middle - (200, 90, 7)).max() <= 1


def test_light_is_averaged_not_bytes():
    # Fine black and white stripes are half as bright as white: 255 * 0.5 ** (1 / 2.2) = 186.
    image = np.zeros((960, 1280, 3), np.uint8)
    image[:, ::2] = 255
    example = Pose2DExample("a.jpg", np.zeros((1, 2)), np.array([100, 20, 900, 900], np.float32))
    crop = render_crop(image, plan_crop(example, image.shape))
    inner = crop[50:-50, 50:-50]
    assert inner.mean() == pytest.approx(186, abs=6)


def test_downscaling_the_source_first_gives_smoother_crops_in_the_same_place():
    image = smooth_image((2000, 1000, 3))
    image[::2, ::2] = 0
    box = np.array([100, 100, 700, 1800], np.float32)
    plan = plan_crop(Pose2DExample("a.jpg", np.zeros((1, 2)), box), image.shape)
    assert plan.scale < 0.25
    crops = [
        render_crop(image, plan, CropOptions(downscale_input=down))[30:-30, 30:-30].astype(int)
        for down in (False, True)
    ]
    roughness = [np.abs(np.diff(crop, axis=1)).mean() for crop in crops]
    assert roughness[1] < 0.8 * roughness[0]
    # Smoothed, both show the same: a shift of half a pixel would show at the slopes.
    blurred = [cv2.blur(crop.astype(np.float32), (25, 25)) for crop in crops]
    assert np.abs(blurred[0] - blurred[1]).mean() < 3


def test_the_colours_of_3dhp_become_brighter_and_less_green():
    image = np.full(IMSHAPE, (60, 90, 60), np.uint8)
    plan = plan_of((250, 150, 90, 150))
    plain, adjusted = (
        render_crop(image, plan, CropOptions(adjust_3dhp_colors=adjust))[100, 100].astype(int)
        for adjust in (False, True)
    )
    assert adjusted.mean() > plain.mean() + 20
    assert adjusted[1] - adjusted[0] < plain[1] - plain[0]


def test_a_mask_moves_like_the_image():
    levels = np.zeros(IMSHAPE[:2], np.uint8)
    cv2.circle(levels, (290, 200), 40, 255, -1)
    image = np.repeat(levels[..., np.newaxis], 3, axis=2)
    plan = plan_of((250, 100, 90, 200))
    mask = decode_mask(render_mask(SourceMask(levels), plan))
    assert mask.shape == plan.imshape
    is_bright = render_crop(image, plan)[..., 0] > 186  # half the light
    assert np.mean(mask != is_bright) < 0.002 and mask.any()


def test_a_mask_is_thresholded_and_reduced_to_one_component():
    levels = np.full(IMSHAPE[:2], 20, np.uint8)
    levels[100:300, 250:340] = 60
    levels[60:90, 250:280] = 255
    plan = plan_of((250, 100, 90, 200))
    num_inside = [
        decode_mask(render_mask(SourceMask(levels, *options), plan)).sum()
        for options in ((127, False), (32, False), (32, True))
    ]
    assert 0 < num_inside[0] < num_inside[1] - num_inside[2] + 50
    assert num_inside[2] == pytest.approx(np.prod(plan.box_px[2:]), rel=0.05)


def test_the_best_component_is_that_of_the_box():
    mask = np.zeros((50, 50), bool)
    mask[2:20, 2:20] = mask[30:45, 30:40] = True
    mask[20:30, 20:30] = False
    best = best_component(mask, np.array([29, 31, 12, 15], np.float32))
    assert best[30:45, 30:40].all() and best.sum() == 150
    diagonal = np.eye(4, dtype=bool)  # connected over corners only: four parts
    assert best_component(diagonal, np.array([2, 2, 1, 1])).sum() == 1
    nothing = np.zeros((4, 4), bool)
    assert not best_component(nothing, np.array([0, 0, 2, 2])).any()


def test_jpegs_are_written_with_their_folders_and_read_back(tmp_path):
    image = smooth_image()
    path = tmp_path / "a" / "b" / "c.jpg"
    write_jpeg(path, image)
    assert np.abs(read_image(str(path)).astype(int) - image).mean() < 2
    with pytest.raises(UserError, match="c.jpg/d.jpg' cannot be written"):
        write_jpeg(path / "d.jpg", image)
