from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones import input_scaling

RGB = np.array([[[[0.2, 0.4, 1.0]]]], np.float32)


@pytest.mark.parametrize(
    "scale, expected",
    [
        (input_scaling.plus_minus_one, [-0.6, -0.2, 1.0]),
        (
            input_scaling.imagenet_mean_stdev,
            [(0.2 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (1 - 0.406) / 0.225],
        ),
        (input_scaling.caffe_bgr, [255 - 103.939, 102 - 116.779, 51 - 123.68]),
        (input_scaling.caffe_rgb, [51 - 103.939, 102 - 116.779, 255 - 123.68]),
        (input_scaling.efficientnet_lite, [(51 - 127) / 128, (102 - 127) / 128, 1.0]),
    ],
)
def test_each_family_gets_the_colours_it_was_trained_on(scale, expected):
    image = tf.keras.Input([None, None, 3])
    model = tf.keras.Model(image, scale(image))
    np.testing.assert_allclose(model(RGB)[0, 0, 0], expected, rtol=1e-5)


def test_scaling_agrees_with_the_preprocessing_of_keras():
    image = tf.keras.Input([None, None, 3])
    model = tf.keras.Model(image, input_scaling.caffe_bgr(image))
    expected = tf.keras.applications.resnet.preprocess_input(RGB * 255)
    np.testing.assert_allclose(model(RGB), expected, rtol=1e-5)
