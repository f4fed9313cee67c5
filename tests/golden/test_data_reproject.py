"""Image and mask reprojection against golden images of the original implementation."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from metrabs.geometry.reprojection import reproject_image, reproject_mask
from tests.golden.test_data_camera import read_camera

INTERPOLATION = {
    "linear": cv2.INTER_LINEAR,
    "nearest": cv2.INTER_NEAREST,
    "cubic": cv2.INTER_CUBIC,
}
# OpenCV interpolates on a grid of 1/32 pixel, so that rounding can change single pixels.
MAX_DIFFERENCE, MIN_FRACTION = 2, 0.999


@pytest.fixture
def numbers(golden):
    return golden("data_reproject")


def assert_images_agree(actual, expected, levels=255):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    difference = np.abs(actual.astype(np.float64) - expected) * (255 / levels)
    assert np.mean(difference <= MAX_DIFFERENCE) >= MIN_FRACTION


def test_images(numbers):
    cases = sorted({key.split("/")[0] for key in numbers if key.endswith("/interp")})
    assert cases
    for case in cases:
        image, levels = numbers["image"], 255
        if case.startswith("gray"):
            image = image[..., 0]
        elif case.startswith("float"):
            image, levels = ((image / 255) ** 2.2).astype(np.float32), 1
        output = reproject_image(
            image,
            read_camera(numbers, f"{case}/old_"),
            read_camera(numbers, f"{case}/new_"),
            numbers[f"{case}/out"].shape,
            border_mode=cv2.BORDER_REPLICATE if "replicate" in case else cv2.BORDER_CONSTANT,
            interp=INTERPOLATION[str(numbers[f"{case}/interp"])],
            antialias_factor=int(numbers[f"{case}/aa"]),
        )
        assert_images_agree(output, numbers[f"{case}/out"], levels)


def test_mask(numbers):
    output = reproject_mask(
        numbers["mask/in"],
        read_camera(numbers, "mask/old_"),
        read_camera(numbers, "mask/new_"),
        numbers["mask/out"].shape,
        antialias_factor=2,
    )
    assert_images_agree(output, numbers["mask/out"], levels=1)
