from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.efficientdet import MODEL_PATH
from metrabs.estimator.detectors.tflite_graph import TfliteNetwork


@pytest.fixture(scope="module")
def network():
    return TfliteNetwork(MODEL_PATH)


def test_zero_input_gives_known_sums(network):
    function = tf.function(network.__call__, autograph=False)
    outputs = function(tf.zeros([1, 448, 448, 3]))
    assert sorted(outputs) == [0, 1]
    codes, probabilities = outputs[0], outputs[1]
    assert tf.reduce_sum(codes).numpy() == pytest.approx(-12118.04, abs=0.5)
    assert tf.reduce_sum(probabilities).numpy() == pytest.approx(332.83, abs=0.05)
    assert tf.reduce_max(probabilities[..., 0]).numpy() == pytest.approx(0.00478, abs=1e-4)


def test_anchors_are_read(network):
    anchors = network.constant_outputs[2]
    assert anchors.shape == (37629, 4)
    np.testing.assert_allclose(anchors[0], [0.0089286, 0.0089286, 0.0535714, 0.0535714], atol=1e-6)
    np.testing.assert_allclose(anchors[-1], [0.875, 0.875, 1.683693, 0.841846], atol=1e-6)


def _tflite_file(tmp_path, function, shape):
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec(shape, tf.float32))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    path = tmp_path / "network.tflite"
    path.write_bytes(converter.convert())
    return path


def test_float_network_equals_its_source(tmp_path):
    rng = np.random.default_rng(0)
    kernel = tf.constant(rng.normal(size=(3, 3, 3, 8)), tf.float32)
    depthwise = tf.constant(rng.normal(size=(3, 3, 8, 1)), tf.float32)

    def compute(x):
        x = tf.nn.relu6(tf.nn.conv2d(x, kernel, 2, "SAME") + 0.5)
        y = tf.nn.depthwise_conv2d(x, depthwise, [1, 1, 1, 1], "SAME") + 0.25
        x = tf.nn.relu(x + y)
        x = tf.concat([x, tf.nn.max_pool2d(x, 3, 1, "SAME")], axis=-1)
        return tf.reshape(tf.sigmoid(x), [1, 16, 16])

    network = TfliteNetwork(_tflite_file(tmp_path, compute, [1, 8, 8, 3]))
    image = tf.constant(rng.normal(size=(1, 8, 8, 3)), tf.float32)
    actual = network(image)[0]
    np.testing.assert_allclose(actual, compute(image), atol=1e-5)
    of_two = network(tf.concat([image, image], axis=0))[0]
    np.testing.assert_allclose(of_two[1], actual[0], atol=1e-5)


def test_operation_that_is_not_supported_is_named(tmp_path):
    path = _tflite_file(tmp_path, tf.sin, [1, 4])
    with pytest.raises(UserError, match="Operation SIN"):
        TfliteNetwork(path)
