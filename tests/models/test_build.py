from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.config import Config
from metrabs.errors import UserError
from metrabs.models.build import build_crop_model, parse_ghost_batch_sizes
from metrabs.models.description import ModelDescription
from tests.models.conftest import JOINTS

SMALL = Config().replace(
    backbone="resnet18", backbone_weights="none", proc_side=64, dtype="float32"
)


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", pytest.param("bfloat16", marks=pytest.mark.slow)]
)
def test_models_compute_in_the_dtype_of_the_settings_and_output_float32(dtype):
    model = build_crop_model(ModelDescription(SMALL.replace(dtype=dtype), JOINTS))
    features, coords2d, _ = model.backbone_and_head(tf.zeros([1, 64, 64, 3]))
    assert features.dtype == dtype and coords2d.dtype == tf.float32
    assert all(variable.dtype == tf.float32 for variable in model.trainable_variables)
    assert tf.keras.mixed_precision.global_policy().name == "float32"


def test_ghost_batch_norm_and_head_size_come_from_the_settings():
    model = build_crop_model(ModelDescription(SMALL.replace(ghost_bn="1,2", depth=4), JOINTS))
    layer = next(la for la in model.backbone.layers[-1].layers if la.name == "conv1_bn")
    assert layer.group_sizes == (1, 2)
    assert model.heatmap_heads.conv.kernel.shape == (1, 1, 512, 5 * 5)


def test_ghost_batch_sizes_are_parsed():
    assert parse_ghost_batch_sizes("") == ()
    assert parse_ghost_batch_sizes("16, 16,32") == (16, 16, 32)
    for text in ("16,x", "0,4", "8,,8"):
        with pytest.raises(UserError, match="--ghost_bn must be group sizes"):
            parse_ghost_batch_sizes(text)


@pytest.mark.parametrize(
    "settings, message",
    [
        (dict(stride_train=16), "differ"),
        (dict(stride_train=16, stride_test=16), "Output stride 16 is not supported"),
        (dict(proc_side=100), "multiple of 32"),
    ],
)
def test_unusable_settings_are_explained(settings, message):
    with pytest.raises(UserError, match=message):
        build_crop_model(ModelDescription(SMALL.replace(**settings), JOINTS))


def test_resnets_v1_get_bgr_or_the_channel_order_of_the_original():
    def features(order):
        tf.keras.utils.set_random_seed(1)
        config = SMALL.replace(backbone="resnet50", caffe_channel_order=order)
        model = build_crop_model(ModelDescription(config, JOINTS))
        return [model.backbone(image).numpy() for image in (rgb, rgb[..., ::-1])]

    rgb = np.random.default_rng(0).uniform(0.1, 0.9, (1, 64, 64, 3)).astype(np.float32)
    as_bgr, swapped_as_bgr = features("bgr")
    as_rgb, swapped_as_rgb = features("rgb")
    np.testing.assert_allclose(as_bgr, swapped_as_rgb, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(as_rgb, swapped_as_bgr, rtol=1e-3, atol=1e-4)
    assert np.abs(as_bgr - as_rgb).max() > 1e-2
