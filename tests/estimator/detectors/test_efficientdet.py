from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.efficientdet import (
    MODEL_PATH,
    EfficientDet,
    build_person_detector,
    decode_boxes,
    pad_to_input,
)
from metrabs.estimator.detectors.tflite_graph import TfliteNetwork


@pytest.fixture(scope="module")
def detector():
    return build_person_detector()


@pytest.fixture(scope="module")
def network():
    return EfficientDet(TfliteNetwork(MODEL_PATH))


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


def test_only_the_astronaut_is_detected(detector, astronaut):
    rows = detector.predict_multi_image(astronaut[np.newaxis], 0.3, 0.5, False, False)
    assert rows.row_lengths().numpy().tolist() == [1]
    left, top, width, height, score = rows.values[0].numpy()
    box = [left, top, left + width, top + height]
    np.testing.assert_allclose(box, [20.22, 12.29, 372.38, 507.77], atol=1)
    assert score == pytest.approx(0.8166, abs=0.01)


def test_mirrored_images_give_mirrored_boxes_with_flip_augmentation(detector, astronaut):
    image = astronaut[:, 60:400]
    boxes = detector.predict_multi_image(image[np.newaxis], 0.1, 0.5, True, False).values.numpy()
    mirrored = detector.predict_multi_image(
        image[np.newaxis, :, ::-1].copy(), 0.1, 0.5, True, False
    ).values.numpy()
    assert len(boxes) > 1
    mirrored[:, 0] = 340 - mirrored[:, 0] - mirrored[:, 2]
    np.testing.assert_allclose(mirrored, boxes, atol=0.01)


def test_person_upside_down_is_found_where_it_is(detector, astronaut):
    plain = detector.predict_single_image(astronaut, 0.3, 0.5).numpy()[0]
    upside_down = astronaut[np.newaxis, ::-1].copy()
    best = detector.predict_multi_image(upside_down, 0.3, 0.5, False, True).values.numpy()[0]
    # The network sees the same upright picture, as the third view.
    np.testing.assert_allclose(best[[0, 2, 3, 4]], plain[[0, 2, 3, 4]], atol=0.01)
    assert best[1] == pytest.approx(512 - plain[1] - plain[3], abs=0.01)


def test_images_without_people_have_empty_rows_and_scores_descend(detector, astronaut):
    images = np.stack([np.zeros_like(astronaut), astronaut])
    rows = detector.predict_multi_image(images, 0.05, 0.7, False, False)
    assert rows.dtype == tf.float32 and rows.row_splits.dtype == tf.int64
    scores = rows[1][:, 4].numpy()
    assert len(scores) > 1 and (np.diff(scores) <= 0).all()
    strict = detector.predict_multi_image(images, 0.999, 0.7, False, False)
    assert strict.row_lengths().numpy().tolist() == [0, 0]


def test_single_image_is_a_batch_of_one(detector, astronaut):
    expected = detector.predict_multi_image(astronaut[np.newaxis], 0.3, 0.5, False, False)
    actual = detector.predict_single_image(astronaut, 0.3, 0.5)
    np.testing.assert_allclose(actual, expected.values, atol=1e-3)


@pytest.mark.parametrize("height, width", [(300, 700), (1, 1000), (448, 448), (5, 3)])
def test_images_of_any_size_fill_the_input(network, height, width):
    images = np.full([1, height, width, 3], 255, np.uint8)
    resized, offset, scale = network.prepare(images)
    assert offset.numpy().tolist() == [0, 0]
    np.testing.assert_allclose(scale * resized.shape.as_list()[1:3], [height, width], rtol=1e-6)
    assert max(resized.shape[1:3]) == 448
    padded = pad_to_input(resized).numpy()
    assert padded.shape == (1, 448, 448, 3)
    assert padded[0, 0, 0, 0] == pytest.approx(1)
    if height != width:
        assert padded[0, -1, -1, 0] == pytest.approx(-127 / 128)


def test_codes_of_zero_stand_for_the_anchors():
    corners = decode_boxes(tf.zeros([1, 1, 4]), tf.constant([[0.5, 0.25, 0.5, 0.25]]))
    np.testing.assert_allclose(corners[0, 0], np.array([0.25, 0.125, 0.75, 0.375]) * 448)


def test_missing_and_damaged_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="missing"):
        build_person_detector(tmp_path / "nowhere.tflite")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(MODEL_PATH.read_bytes()[:-1])
    with pytest.raises(UserError, match="SHA-256"):
        build_person_detector(damaged)
