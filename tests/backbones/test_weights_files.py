from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones.weights_files import build_pretrained, load_weights_file
from metrabs.errors import UserError


def small_network(names=("a", "b"), classes=0):
    image = x = tf.keras.Input([4, 4, 3])
    for name in names:
        x = tf.keras.layers.Conv2D(3, 1, name=name)(x)
    if classes:
        x = tf.keras.layers.Dense(classes, name="predictions")(tf.keras.layers.Flatten()(x))
    return tf.keras.Model(image, x)


def test_files_of_keras_load_by_layer_name_and_may_hold_a_classifier(tmp_path):
    source, target = small_network(classes=5), small_network()
    path = str(tmp_path / "weights.h5")
    source.save_weights(path)
    load_weights_file(target, path)
    for ours, theirs in zip(target.get_weights(), source.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


def test_layer_names_may_have_slashes(tmp_path):
    names = ("Conv", "Conv/BatchNorm", "expanded_conv/squeeze_excite/Conv")
    source, target = small_network(names), small_network(names)
    path = str(tmp_path / "weights.h5")
    source.save_weights(path)
    load_weights_file(target, path)
    for ours, theirs in zip(target.get_weights(), source.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(UserError, match="no layer 'expanded_conv/squeeze_excite/Conv_1'"):
        load_weights_file(small_network((*names, names[-1] + "_1")), path)


def test_files_of_the_newer_format_load_too(tmp_path):
    source, target = small_network(), small_network()
    path = str(tmp_path / "some.weights.h5")
    source.save_weights(path)
    load_weights_file(target, path)
    np.testing.assert_array_equal(target.get_weights()[0], source.get_weights()[0])


def test_files_of_another_network_are_rejected(tmp_path):
    path = str(tmp_path / "weights.h5")
    small_network(names=("a",)).save_weights(path)
    with pytest.raises(UserError, match="does not fit this backbone: it has no layer 'b'"):
        load_weights_file(small_network(), path)


def test_damaged_files_are_rejected(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"not a weights file")
    with pytest.raises(UserError, match="does not fit this backbone"):
        load_weights_file(small_network(), str(path))


def test_a_failed_download_names_the_alternatives():
    def build(weights):
        raise Exception(f"URL fetch failure on https://example.org/{weights}: None -- no network")

    with pytest.raises(UserError, match="--backbone_weights=none.*efficientnet-lite0"):
        build_pretrained(build, "resnet50")


def test_other_errors_are_not_reported_as_failed_downloads():
    def build(weights):
        raise RuntimeError("a programming mistake")

    with pytest.raises(RuntimeError, match="programming mistake"):
        build_pretrained(build, "resnet50")
