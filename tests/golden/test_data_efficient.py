"""Efficient crops against golden numbers of the original implementation."""

from __future__ import annotations

import ast

import numpy as np
import pytest

from data_preparation.common.crop_geometry import CropOptions, crop_box_around, plan_crop
from data_preparation.common.crop_images import SourceMask, render_crop, render_mask
from metrabs.data.examples import Pose2DExample, Pose3DExample
from metrabs.data.storage.masks import decode_mask
from metrabs.geometry.reprojection import reproject_image_points
from tests.golden.test_data_camera import read_camera
from tests.golden.tolerances import assert_close

# Float32 rounding of the original when it turns the camera (see Camera.turn_towards).
POSITION_ATOL_PX = 0.1
ROTATION_ATOL = 1.5e-4
MAX_DIFFERENCE, MIN_FRACTION, MAX_MEAN = 2, 0.97, 0.5


@pytest.fixture
def numbers(golden):
    return golden("data_efficient")


def synthetic_image(height, width, k):
    """Returns the test image, which golden files describe instead of storing it."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    red = 127.5 + 90 * np.sin(x / 7 + k) + 30 * np.sin(y / 19)
    green = 127.5 + 80 * np.cos(y / 9 + k / 2) + 40 * np.sin((x + y) / 13)
    blue = 60 + 150 * ((x // 8 + y // 8 + k) % 2)
    return np.clip(np.round(np.stack([red, green, blue], -1)), 0, 255).astype(np.uint8)


def read_case(numbers, case):
    """Returns image, example and options of a case."""
    if f"{case}/in_image" in numbers:
        image = numbers[f"{case}/in_image"]
    else:
        image = synthetic_image(*numbers[f"{case}/in_image_synth_args"])
    given = ast.literal_eval(str(numbers[f"{case}/opts"]))
    options = CropOptions(
        room_factor=given.get("further", 1),
        adjust_3dhp_colors=given.get("adj", False),
        extreme_perspective=given.get("extreme", False),
        downscale_input=given.get("down", False),
    )
    box = numbers[f"{case}/in_bbox"]
    if given.get("two"):
        example = Pose2DExample("a.jpg", numbers[f"{case}/in_coords"], box)
    else:
        camera = read_camera(numbers, f"{case}/in_")
        example = Pose3DExample("a.jpg", np.zeros((1, 3)), box, camera)
    return image, example, options


def test_cases(numbers):
    cases = sorted({key.split("/")[0] for key in numbers if key.endswith("/in_bbox")})
    assert len(cases) >= len(numbers["cases"])
    for case in cases:
        image, example, options = read_case(numbers, case)
        plan = plan_crop(example, image.shape, options)
        assert_close(plan.box_px, numbers[f"{case}/out_bbox"], rtol=0, atol=POSITION_ATOL_PX)
        assert plan.imshape == tuple(numbers[f"{case}/out_shape"]), case
        if f"{case}/out_K" in numbers:
            camera = plan.new_camera
            assert camera.distortion_coeffs is None
            assert_close(camera.R, numbers[f"{case}/out_R"], rtol=0, atol=ROTATION_ATOL)
            assert_close(camera.intrinsic_matrix, numbers[f"{case}/out_K"], rtol=1e-3)
            assert_close(camera.t, numbers[f"{case}/out_t"])
        if f"{case}/out_coords" in numbers:
            coords = reproject_image_points(example.coords, plan.old_camera, plan.new_camera)
            assert_close(coords, numbers[f"{case}/out_coords"], rtol=1e-5)
        assert_images_agree(render_crop(image, plan, options), numbers[f"{case}/out_image"], case)
        if f"{case}/out_mask" in numbers:
            mask = SourceMask((numbers[f"{case}/in_mask"] != 0).astype(np.uint8) * 255)
            rendered = decode_mask(render_mask(mask, plan))
            assert np.mean(rendered == numbers[f"{case}/out_mask"]) >= MIN_FRACTION, case


def assert_images_agree(actual, expected, case):
    assert actual.shape == expected.shape and actual.dtype == np.uint8
    difference = np.abs(actual.astype(int) - expected)
    # Where the camera turned, the image shifts by up to a few hundredths of a pixel.
    fraction = np.mean(difference <= MAX_DIFFERENCE)
    assert fraction >= MIN_FRACTION and difference.mean() <= MAX_MEAN, case


def test_crop_boxes(numbers):
    for row in numbers["expanded_crop_boxes"]:
        assert_close(crop_box_around(row[:4], row[4:8], row[8]), row[9:], rtol=1e-6)
