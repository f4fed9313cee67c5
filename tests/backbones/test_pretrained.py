"""ImageNet weights that Keras would download, here files made by the test in their place."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import tensorflow as tf

from metrabs.backbones import registry
from metrabs.errors import UserError

_FAMILIES = {
    "mobilenetv3-small": ("mobilenet_v3", "MobileNetV3Small", True),
    "efficientnetv2-b0": ("efficientnet_v2", "EfficientNetV2B0", False),
    "resnet50": ("resnet", "ResNet50", False),
    "resnet50v2": ("resnet_v2", "ResNet50V2", False),
}
_HEAVY = ("efficientnetv2-b0", "resnet50", "resnet50v2")


def _stand_in_for_downloads(monkeypatch, module_name, answer):
    # ResNet V2 is built by the code of V1.
    module_name = "resnet" if module_name.startswith("resnet") else module_name
    module = importlib.import_module(f"keras.src.applications.{module_name}")
    monkeypatch.setattr(module.data_utils, "get_file", answer)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in _HEAVY else ()) for n in _FAMILIES]
)
def test_downloaded_weights_arrive_in_the_backbone(name, tmp_path, monkeypatch):
    module_name, constructor, has_top = _FAMILIES[name]
    source = getattr(tf.keras.applications, constructor)(
        weights=None, include_top=has_top, **({} if has_top else {"input_shape": (None, None, 3)})
    )
    source.set_weights([w + 0.25 for w in source.get_weights()])
    path = str(tmp_path / "weights.h5")
    source.save_weights(path)
    requested = []

    def get_file(file_name, *args, **kwargs):
        requested.append(file_name)
        return path

    _stand_in_for_downloads(monkeypatch, module_name, get_file)
    registry.ensure_weights(name, "imagenet")
    backbone = registry.build_backbone(name, weights="imagenet")
    assert len(requested) == 2 and requested[0].endswith(".h5")
    expected = {v.name: v.numpy() for v in source.weights}
    compared = [v for v in backbone.weights if v.name in expected]
    assert len(compared) >= 0.9 * len(backbone.weights)
    for variable in compared:
        np.testing.assert_array_equal(variable.numpy(), expected[variable.name])
    # A local copy of the same file also works.
    from_file = registry.build_backbone(name, weights=path)
    for ours, theirs in zip(from_file.get_weights(), backbone.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "error",
    [
        Exception("URL fetch failure on https://example.org/weights.h5: None -- no network"),
        ValueError("Incomplete or corrupted file detected. The sha256 file hash does not match"),
        TimeoutError("timed out"),
    ],
)
def test_failed_and_damaged_downloads_are_one_line_errors(error, monkeypatch):
    def get_file(*args, **kwargs):
        raise error

    _stand_in_for_downloads(monkeypatch, "mobilenet_v3", get_file)
    with pytest.raises(UserError, match="ImageNet weights of mobilenetv3-small") as caught:
        registry.ensure_weights("mobilenetv3-small", "imagenet")
    assert "\n" not in str(caught.value)
    registry.ensure_weights("mobilenetv3-small", "none")
