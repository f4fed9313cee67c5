"""Images of predictions next to the truth."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.skeletons import JointInfo
from metrabs.visualization.comparison import comparison_image, stack_images

SKELETON = JointInfo("pelv,neck,lhip,rhip", "neck-pelv-rhip")
POSE_MM = np.array([[0, 0, 3000], [0, -500, 3000], [100, 20, 3000], [-100, 20, 2900.0]])
IMAGE = np.full((64, 64, 3), 60, np.uint8)
SHOWN_PX = np.array([[32, 32], [32, 12], [40, 34], [24, 34.0]])
ELSEWHERE_PX = SHOWN_PX + [15, 15]
WHITE, GREEN = (255, 255, 255), (90, 215, 120)


def _has_color(drawn, color):
    return (np.abs(drawn.astype(int) - color).max(axis=-1) <= 2).any()


def test_truth_is_white_and_the_prediction_coloured():
    drawn = comparison_image(IMAGE, ELSEWHERE_PX, SHOWN_PX, POSE_MM, POSE_MM, SKELETON)
    on_image = drawn[-480:, :480]
    above, below = on_image[:150], on_image[300:]  # the two poses lie apart
    assert _has_color(above, WHITE) and not _has_color(above, GREEN)
    assert _has_color(below, GREEN)
    without = comparison_image(IMAGE, None, SHOWN_PX, POSE_MM, POSE_MM, SKELETON)
    assert not _has_color(without[-480:, :480], GREEN)


def test_space_shows_both_poses():
    far = POSE_MM + [500, 0, 0]
    both = comparison_image(IMAGE, None, SHOWN_PX, far, POSE_MM, SKELETON)[-480:, 480:]
    same = comparison_image(IMAGE, None, SHOWN_PX, far, far, SKELETON)[-480:, 480:]
    assert _has_color(both, GREEN) and _has_color(both, (150, 150, 150))
    assert (both != same).any()


@pytest.mark.parametrize("missing", [[1], [0, 1, 2, 3]])
def test_images_have_one_size_and_omit_missing_points(missing):
    expected = comparison_image(IMAGE, SHOWN_PX, SHOWN_PX, POSE_MM, POSE_MM, SKELETON, "all")
    pose, pixels = POSE_MM.copy(), SHOWN_PX.copy()
    pose[missing], pixels[missing] = np.nan, np.nan
    image = np.zeros((256, 256, 3), np.uint8)
    drawn = comparison_image(image, pixels, pixels, pose, pose, SKELETON, "some")
    assert drawn.shape == expected.shape and drawn.dtype == np.uint8


def test_stacked_images_are_padded_with_white():
    images = [np.full((2, 3, 3), value, np.uint8) for value in (1, 2, 3)]
    stacked = stack_images(images)
    assert stacked.shape == (4, 6, 3)
    assert [stacked[0, 0, 0], stacked[0, 5, 0], stacked[3, 0, 0], stacked[3, 5, 0]] == [
        1,
        2,
        3,
        255,
    ]
