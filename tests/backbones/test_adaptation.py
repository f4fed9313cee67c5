from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones import adaptation


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (dict(kernel_size=3), (1, 1)),
        (dict(kernel_size=5), (2, 2)),
        (dict(kernel_size=3, shift=1), (0, 2)),
        (dict(kernel_size=5, shift=1), (1, 3)),
        (dict(kernel_size=1, shift=1), (-1, 1)),
        (dict(kernel_size=3, dilation=2), (2, 2)),
    ],
)
def test_fixed_padding_by_hand(arguments, expected):
    assert adaptation.fixed_padding(**arguments) == expected


def one_hot_kernel_layer(cls, size, **settings):
    layer = (
        cls(1, size, use_bias=False, **settings)
        if "Depthwise" not in cls.__name__
        else cls(size, use_bias=False, **settings)
    )
    layer.build([None, None, None, 1])
    kernel = np.zeros(layer.get_weights()[0].shape, np.float32)
    kernel[size // 2, size // 2] = 1
    layer.set_weights([kernel])
    return layer


@pytest.mark.parametrize(
    "cls", [adaptation.FixedPaddingConv2D, adaptation.FixedPaddingDepthwiseConv2D]
)
@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("shift", [0, 1])
def test_strided_layers_sample_every_second_pixel_from_the_shift_on(cls, size, shift):
    image = tf.reshape(tf.range(64.0), [1, 8, 8, 1])
    layer = one_hot_kernel_layer(cls, size, strides=2, shift=shift)
    np.testing.assert_array_equal(layer(image), image[:, shift::2, shift::2])


def test_pooling_shortcuts_sample_from_the_shift_on():
    image = tf.reshape(tf.range(64.0), [1, 8, 8, 1])
    layer = adaptation.FixedPaddingMaxPooling2D(1, strides=2, shift=1)
    np.testing.assert_array_equal(layer(image), image[:, 1::2, 1::2])


def test_layers_survive_a_round_trip_through_their_configuration():
    layer = adaptation.FixedPaddingConv2D(4, 3, strides=2, shift=1, name="a")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config() and again.shift == 1


def small_model():
    image = tf.keras.Input([None, None, 3])
    x = tf.keras.layers.Conv2D(4, 3, strides=2, padding="same", name="a")(image)
    x = tf.keras.layers.BatchNormalization(name="n")(x)
    x = tf.keras.layers.ZeroPadding2D(((0, 1), (0, 1)), name="p")(x)
    return tf.keras.Model(image, tf.keras.layers.Conv2D(2, 3, strides=2, name="b")(x))


def test_rebuilding_without_rules_gives_the_same_function():
    model = small_model()
    image = np.random.default_rng(0).normal(size=[2, 16, 16, 3]).astype(np.float32)
    np.testing.assert_array_equal(adaptation.rebuild(model, [])(image), model(image))


def test_rules_change_the_named_layers_and_keep_the_weights():
    model = small_model()
    rules = [
        adaptation.pad_fixed({"a": 0, "p": 1}),
        adaptation.set_strides({"b": 1}),
        adaptation.set_batch_norm_momentum(0.5),
        adaptation.use_ghost_batch_norm([1, 1]),
    ]
    rebuilt = adaptation.rebuild(model, rules)
    assert isinstance(rebuilt.get_layer("a"), adaptation.FixedPaddingConv2D)
    assert rebuilt.get_layer("p").padding == ((0, 2), (0, 2))
    assert rebuilt.get_layer("b").strides == (1, 1)
    assert rebuilt.get_layer("n").momentum == 0.5
    assert rebuilt.get_layer("n").group_sizes == (1, 1)
    for ours, original in zip(rebuilt.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(ours, original)
