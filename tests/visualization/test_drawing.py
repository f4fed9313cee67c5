"""Drawing on images: what is touched, what is not, and where."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.skeletons import JointInfo
from metrabs.visualization import drawing
from metrabs.visualization.palette import SIDE_COLORS

SKELETON = JointInfo("pelv,lhip,rhip", "pelv-rhip")
POSE = np.array([[50, 20], [20, 60], [80, 60]], np.float32)


@pytest.fixture
def image():
    return np.full((90, 100, 3), 200, np.uint8)


def color_at(image, point):
    x, y = np.rint(point).astype(int)
    return tuple(image[y, x])


def test_bones_have_the_colour_of_their_side(image):
    drawn = drawing.draw_poses2d(image, POSE, SKELETON, line_width=5)
    assert color_at(drawn, (POSE[0] + POSE[1]) / 2) == SIDE_COLORS["left"]
    assert color_at(drawn, (POSE[0] + POSE[2]) / 2) == SIDE_COLORS["right"]
    assert color_at(drawn, POSE[0]) == SIDE_COLORS["center"]
    assert (image == 200).all() and (drawn[80:] == 200).all()


def test_missing_joints_and_their_bones_are_left_out(image):
    pose = POSE.copy()
    pose[1, 0] = np.nan
    drawn = drawing.draw_poses2d(image, [pose], SKELETON)
    assert (drawn[:, :40] == 200).all() and (drawn[:, 60:] != 200).any()
    np.testing.assert_array_equal(drawing.draw_poses2d(image, pose * np.nan, SKELETON), image)
    np.testing.assert_array_equal(
        drawing.draw_poses2d(image, np.zeros((0, 3, 2)), SKELETON), image
    )


def test_joints_far_outside_the_image_are_tolerated(image):
    drawn = drawing.draw_poses2d(image, POSE + [[0, 0], [1e12, 0], [0, 3000]], SKELETON)
    assert drawn.shape == image.shape


@pytest.mark.parametrize("size", [24, 100, 1000])
def test_lines_are_visible_but_not_dominant_at_any_size(size):
    image = np.full((size, size, 3), 200, np.uint8)
    drawn = drawing.draw_poses2d(image, POSE * size / 100, SKELETON)
    share = np.mean((drawn != 200).any(axis=-1))
    assert 0.01 < share < 0.2


def test_boxes_are_drawn_with_and_without_labels(image):
    boxes = [[20, 30, 40, 40, 0.9]]
    drawn = drawing.draw_boxes(image, boxes, color=(255, 0, 0))
    assert color_at(drawn, (20, 50))[0] > 220 > 50 > color_at(drawn, (20, 50))[1]
    assert color_at(drawn, (40, 50)) == (200,) * 3
    labelled = drawing.draw_boxes(image, boxes, ["0.9"], color=(255, 0, 0))
    assert (labelled[20:28] != drawn[20:28]).any()
    np.testing.assert_array_equal(drawing.draw_boxes(image, np.zeros((0, 4))), image)


def test_captions_add_a_strip_and_shrink_to_fit(image):
    for text in ("short", "a very long caption that would not fit at this size"):
        captioned = drawing.add_caption(image, text, height=20)
        assert captioned.shape == (110, 100, 3)
        np.testing.assert_array_equal(captioned[20:], image)
        strip = captioned[:20]
        assert (strip > 100).any() and (strip[:, -2:] < 50).all()


def test_contact_sheet_fits_images_of_any_shape():
    images = [np.full(shape, 90, np.uint8) for shape in ((10, 30, 3), (60, 20, 3), (8, 8))]
    sheet = drawing.contact_sheet(images, tile_size_wh=(40, 30), gap=2)
    assert sheet.shape == (2 * 32 + 2, 2 * 42 + 2, 3)
    assert tuple(sheet[2 + 15, 2 + 20]) == (90,) * 3
    with_captions = drawing.contact_sheet(
        images, ["a", "b", "c"], num_columns=3, tile_size_wh=(40, 30), gap=2
    )
    assert with_captions.shape == (30 + 16 + 4, 3 * 42 + 2, 3)


def test_enlarging_keeps_points_on_their_content():
    image = np.zeros((10, 20, 3), np.uint8)
    image[3, 12] = 255
    enlarged, points = drawing.enlarge(image, [[12, 3]], 90)
    assert enlarged.shape == (50, 100, 3)
    np.testing.assert_array_equal(points, [[62, 17]])
    assert np.unravel_index(enlarged[..., 0].argmax(), (50, 100)) == (17, 62)
