from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.contract import check_detector
from metrabs.estimator.detectors.person_detector import (
    NetworkInput,
    PersonDetector,
    suppress_overlapping,
)


class BrightSpotNetwork(tf.Module):
    """Takes bright rows and columns for a person, if they are large enough to be seen."""

    model_name = "bright-spots"

    def __init__(self, side: int = 64, smallest: float = 6.0) -> None:
        super().__init__()
        self._side, self._smallest = side, smallest

    def prepare(self, images):
        size = tf.cast(tf.shape(images)[1:3], tf.float32)
        new_size = tf.round(size * (self._side / tf.reduce_max(size)))
        resized = tf.image.resize(images, tf.cast(new_size, tf.int32), antialias=True)
        padded = tf.pad(resized, [[0, 0], [2, 0], [3, 0], [0, 0]])
        return NetworkInput(padded, tf.constant([2.0, 3.0]), size / new_size)

    def find_candidates(self, pixels):
        top, bottom = _extent(tf.reduce_max(pixels[..., 0], axis=2))
        left, right = _extent(tf.reduce_max(pixels[..., 0], axis=1))
        is_large = (bottom - top >= self._smallest) & (right - left >= self._smallest)
        corners = tf.stack([top, left, bottom, right], axis=-1)
        return corners[:, tf.newaxis], tf.where(is_large, 0.8, 0.0)[:, tf.newaxis]


def _extent(profile):
    positions = tf.range(tf.shape(profile)[1], dtype=tf.float32)
    is_bright = profile > 127
    start = tf.reduce_min(tf.where(is_bright, positions, 1e6), axis=1)
    end = tf.reduce_max(tf.where(is_bright, positions, -1e6), axis=1) + 1
    return start, tf.maximum(end, start)


def _image(height=192, width=256, **box):
    image = np.zeros([1, height, width, 3], np.uint8)
    x, y, w, h = box["box"]
    image[:, y : y + h, x : x + w] = 255
    return image


def _detect(detector, image, flip=False, both=False):
    return detector.predict_multi_image(image, 0.3, 0.7, flip, both)


@pytest.fixture(scope="module")
def detector():
    return PersonDetector(BrightSpotNetwork())


@pytest.mark.parametrize("flip, both", [(False, False), (True, False), (False, True)])
def test_every_view_finds_the_box_where_it_is_in_the_image(detector, flip, both):
    image = _image(box=(40, 80, 48, 64))
    for found in _detect(detector, image, flip, both).values.numpy():
        np.testing.assert_allclose(found, [40, 80, 48, 64, 0.8], atol=1e-3)


def test_each_view_adds_its_candidates(detector):
    image = _image(box=(40, 80, 48, 64))
    all_kept = [
        len(detector.predict_multi_image(image, 0.3, 1.0, *flips).values)
        for flips in ((False, False), (True, False), (False, True), (True, True))
    ]
    assert all_kept == [1, 2, 3, 3]


def test_people_are_assigned_to_their_images_also_with_views_and_tiles():
    detector = PersonDetector(BrightSpotNetwork(), tiles_per_side=2)
    boxes = [(12, 20, 48, 48), (100, 100, 80, 80), (0, 0, 0, 0)]
    images = np.concatenate([_image(box=box) for box in boxes])
    rows = _detect(detector, images, both=True)
    assert rows.row_lengths().numpy().tolist() == [1, 1, 0]
    for row, box in zip(rows, boxes[:2]):
        np.testing.assert_allclose(row[0, :4], box, atol=3)


def test_people_too_small_in_the_whole_image_are_found_in_tiles(detector):
    image = _image(box=(200, 140, 16, 16))  # 4 pixels in the whole image, 6.9 in a tile
    assert len(_detect(detector, image).values) == 0
    tiled = PersonDetector(BrightSpotNetwork(), tiles_per_side=2)
    found = _detect(tiled, image).values.numpy()
    assert len(found) == 1
    np.testing.assert_allclose(found[0, :4], [200, 140, 16, 16], atol=2.5)


def test_parts_of_people_at_a_cut_are_not_reported():
    tiled = PersonDetector(BrightSpotNetwork(), tiles_per_side=2)
    found = _detect(tiled, _image(box=(20, 20, 200, 150))).values.numpy()
    assert len(found) == 1  # in no tile is this person whole
    np.testing.assert_allclose(found[0, :4], [20, 20, 200, 150], atol=3)


def test_the_single_image_is_the_first_row(detector):
    image = _image(box=(40, 80, 48, 64))
    single = detector.predict_single_image(image[0], 0.3, 0.7)
    np.testing.assert_allclose(single, _detect(detector, image).values)


def test_better_one_of_overlapping_boxes_is_kept_and_scores_descend():
    corners = tf.constant([[[0.0, 0, 10, 10], [0, 1, 10, 11], [50, 50, 60, 70], [0, 0, 1, 1]]])
    rows = suppress_overlapping(corners, tf.constant([[0.5, 0.9, 0.7, 0.1]]), 0.3, 0.7)
    np.testing.assert_allclose(rows[0], [[1, 0, 10, 10, 0.9], [50, 50, 20, 10, 0.7]], atol=1e-6)


def test_there_are_at_most_150_detections():
    starts = 20.0 * np.arange(200, dtype=np.float32)
    corners = np.stack([starts, starts, starts + 10, starts + 10], axis=-1)[np.newaxis]
    rows = suppress_overlapping(tf.constant(corners), tf.ones([1, 200]), 0.3, 0.7)
    assert rows.row_lengths().numpy().tolist() == [150]


def test_contract_is_met(detector):
    check_detector(detector, "bright spots")


def test_number_of_tiles_must_be_positive():
    with pytest.raises(UserError, match="give 1 or more"):
        PersonDetector(BrightSpotNetwork(), tiles_per_side=0)
