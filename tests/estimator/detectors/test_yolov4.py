from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors import yolov4
from metrabs.estimator.detectors.contract import check_detector
from metrabs.estimator.detectors.darknet_weights import read_convolutions
from metrabs.estimator.detectors.person_detector import PersonDetector
from metrabs.estimator.detectors.yolov4_structures import YOLOV4_TINY, YoloStructure, mish
from tests.estimator.detectors.darknet_files import random_weights, write_weights_file

# A network of two convolutions with one output per 2 x 2 pixels.
SMALL = YoloStructure(
    "small",
    lambda image, convolve, upsample: [
        convolve(upsample(convolve(image, 6, 3, mish, stride=2)), 255, 1, None, stride=2)
    ],
    strides=(2,),
    anchors=(((10, 20), (30, 40), (50, 60)),),
    xy_scales=(1.2,),
)


@pytest.fixture(scope="module")
def tiny_weights_path(tmp_path_factory):
    values = random_weights(yolov4.convolution_shapes(YOLOV4_TINY), seed=0)
    return write_weights_file(tmp_path_factory.mktemp("yolo") / "tiny.weights", values)


@pytest.fixture(scope="module")
def tiny(tiny_weights_path):
    return yolov4.build_yolov4_detector("yolov4-tiny", tiny_weights_path, input_side=96)


def _network(structure, upsample=yolov4.upsample_by_repetition, side=64):
    zeros = [
        np.zeros(shape, np.float32)
        for s in yolov4.convolution_shapes(structure)
        for shape in ([s.kernel_size, s.kernel_size, s.num_inputs, s.num_outputs], [s.num_outputs])
    ]
    return yolov4.Yolo(structure, zeros, upsample, side)


def test_convolution_normalisation_and_mish_are_those_of_darknet(tmp_path):
    """A loop over the pixels, written from darknet's definition of a layer."""
    rng = np.random.default_rng(3)
    structure = YoloStructure(
        "small", lambda image, convolve, _: [convolve(image, 255, 3, mish, stride=2)], (2,), (), ()
    )
    (shape,) = shapes = yolov4.convolution_shapes(structure)
    values = random_weights(shapes, seed=4)
    path = write_weights_file(tmp_path / "one.weights", values)
    weights = read_convolutions(path, shapes, epsilon=1e-5)
    image = rng.uniform(size=(1, 6, 8, 3)).astype(np.float32)
    convolve = yolov4._NextConvolution([tf.constant(array) for array in weights])
    actual = structure.network(tf.constant(image), convolve, None)[0].numpy()

    beta, gamma, mean, variance = values[: 4 * 255].reshape(4, 255)
    kernel = values[4 * 255 :].reshape(255, 3, 3, 3)
    padded = np.pad(image[0], [[1, 1], [1, 1], [0, 0]])  # on all sides, as darknet says
    assert actual.shape == (1, 3, 4, 255) and shape.num_values == len(values)
    for y, x in ((0, 0), (1, 2), (2, 3)):
        window = padded[2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        sums = np.einsum("oihw,hwi->o", kernel, window)
        normalized = (sums - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        expected = normalized * np.tanh(np.log1p(np.exp(normalized)))
        np.testing.assert_allclose(actual[0, y, x], expected, atol=1e-5)


def test_boxes_are_decoded_as_the_paper_says():
    output = np.zeros([1, 2, 3, 3, 85], np.float32)
    output[0, 1, 2, 1, :6] = [2.0, -1.0, 0.5, -0.5, 3.0, 1.0]
    corners, scores = yolov4.decode_people(
        tf.constant(output.reshape(1, 2, 3, 255)), 16, ((10, 20), (30, 40), (50, 60)), 1.1
    )
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    i = (1 * 3 + 2) * 3 + 1
    center_x = (sigmoid(2.0) * 1.1 - 0.05 + 2) * 16
    center_y = (sigmoid(-1.0) * 1.1 - 0.05 + 1) * 16
    width, height = 30 * np.exp(0.5), 40 * np.exp(-0.5)
    np.testing.assert_allclose(
        corners[0, i],
        [center_y - height / 2, center_x - width / 2, center_y + height / 2, center_x + width / 2],
        rtol=1e-5,
    )
    assert scores[0, i].numpy() == pytest.approx(sigmoid(3.0) * sigmoid(1.0))
    assert corners.shape == (1, 18, 4) and scores.numpy().min() == pytest.approx(0.25)


@pytest.mark.parametrize(
    "height, width, new_height, new_width, padded",
    [(480, 640, 48, 64, (64, 64)), (100, 30, 64, 19, (64, 32)), (20, 33, 38, 64, (64, 64)),
     (1, 500, 1, 64, (32, 64))],
)  # fmt: skip
def test_images_are_resized_and_padded_to_multiples_of_32(
    height, width, new_height, new_width, padded
):
    image = np.full([1, height, width, 3], 200, np.uint8)
    pixels, offset, scale = _network(SMALL).prepare(tf.constant(image))
    assert pixels.shape.as_list()[1:3] == list(padded)
    top, left = (padded[0] - new_height) // 2, (padded[1] - new_width) // 2
    assert offset.numpy().tolist() == [top, left]
    np.testing.assert_allclose(scale, [height / new_height, width / new_width], rtol=1e-6)
    inside = pixels[0, top : top + new_height, left : left + new_width]
    np.testing.assert_allclose(inside, 200 / 255, atol=1e-5)
    num_outside = padded[0] * padded[1] - new_height * new_width
    assert np.isclose(pixels[..., 0], 0.5).sum() == num_outside


def test_upsampling_repeats_or_interpolates():
    features = tf.constant([[[[0.0], [4.0]]]])
    np.testing.assert_array_equal(
        yolov4.upsample_by_repetition(features)[0, :, :, 0], [[0, 0, 4, 4]] * 2
    )
    np.testing.assert_allclose(yolov4.upsample_smoothly(features)[0, :, :, 0], [[0, 1, 3, 4]] * 2)


def test_original_settings_change_the_result(tiny, tiny_weights_path):
    original = yolov4.build_yolov4_detector(
        "yolov4-tiny", tiny_weights_path, input_side=96, like_original=True
    )
    image = np.random.default_rng(0).integers(0, 255, [1, 90, 96, 3], dtype=np.uint8)
    ours, theirs = (
        detector.predict_multi_image(image, 0.0, 0.5, False, False).values.numpy()
        for detector in (tiny, original)
    )
    assert len(ours) > 5
    assert len(ours) != len(theirs) or np.abs(ours - theirs).max() > 1e-3


def test_contract_is_met(tiny):
    assert isinstance(tiny, PersonDetector)
    check_detector(tiny, "tiny")


def test_views_without_flip_and_mirror_image_agree(tiny):
    image = np.random.default_rng(1).integers(0, 255, [1, 96, 64, 3], dtype=np.uint8)
    boxes = tiny.predict_multi_image(image, 0.0, 0.5, True, False).values.numpy()
    mirrored = tiny.predict_multi_image(
        image[:, :, ::-1].copy(), 0.0, 0.5, True, False
    ).values.numpy()
    mirrored[:, 0] = 64 - mirrored[:, 0] - mirrored[:, 2]
    np.testing.assert_allclose(mirrored, boxes, atol=0.05)


def test_weights_of_the_other_network_are_refused(tiny_weights_path):
    with pytest.raises(UserError, match="6062814 weights and the network has 64429405"):
        yolov4.build_yolov4_detector("yolov4", tiny_weights_path)
    with pytest.raises(UserError, match="Unknown YOLO network 'yolov5'"):
        yolov4.build_yolov4_detector("yolov5", tiny_weights_path)
    with pytest.raises(UserError, match="multiple of 32"):
        yolov4.build_yolov4_detector("yolov4-tiny", tiny_weights_path, input_side=400)


STRANGER = """
import sys
sys.modules["metrabs"] = None
import numpy as np
import tensorflow as tf
detector = tf.saved_model.load(sys.argv[1])
np.save(sys.argv[3], detector.predict_single_image(np.load(sys.argv[2]), 0.0, 0.5, True).numpy())
"""


@pytest.mark.slow
def test_detector_with_tiles_works_without_this_package(tmp_path, tiny_weights_path):
    detector = yolov4.build_yolov4_detector(
        "yolov4-tiny", tiny_weights_path, input_side=96, tiles_per_side=2
    )
    image = np.random.default_rng(2).integers(0, 255, [120, 200, 3], dtype=np.uint8)
    np.save(tmp_path / "image.npy", image)
    tf.saved_model.save(detector, str(tmp_path / "detector"))
    (tmp_path / "use.py").write_text(STRANGER)
    command = [sys.executable, "-I", "use.py", "detector", "image.npy", "boxes.npy"]
    subprocess.run(command, check=True, cwd=tmp_path)
    expected = detector.predict_single_image(image, 0.0, 0.5, True)
    np.testing.assert_allclose(np.load(tmp_path / "boxes.npy"), expected, atol=0.05)


@pytest.mark.slow
def test_full_network_runs_with_a_weights_file_of_its_size(tmp_path):
    shapes = yolov4.convolution_shapes(yolov4.STRUCTURES["yolov4"])
    path = write_weights_file(tmp_path / "full.weights", random_weights(shapes, seed=1))
    detector = yolov4.build_yolov4_detector("yolov4", path, input_side=64)
    image = np.random.default_rng(0).integers(0, 255, [1, 50, 64, 3], dtype=np.uint8)
    boxes = detector.predict_multi_image(image, 0.0, 0.5, False, False).values.numpy()
    assert np.isfinite(boxes).all() and len(boxes) > 5
