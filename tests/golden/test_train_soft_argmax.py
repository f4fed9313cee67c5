from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.geometry.masked import ramp
from metrabs.models import heads
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_soft_argmax")


def test_soft_argmax_in_the_plane_matches_the_original(data):
    assert_close(heads.soft_argmax(data["logits2d"], axes=(2, 1)), data["coords2d"])


@pytest.mark.parametrize("suffix", ["", "_peaky"])
def test_soft_argmax_in_the_volume_matches_the_original(data, suffix):
    actual = heads.soft_argmax(data[f"logits3d{suffix}"], axes=(2, 1, 3))
    assert_close(actual, data[f"coords3d{suffix}"])


def test_joint_softmax_and_decoding_match_the_original(data):
    assert_close(heads.softmax(data["softmax_in"], axes=(1, 2)), data["softmax_out_hw"])
    decoded = heads.decode_heatmap(tf.constant(data["heatmap2d"]), axes=(2, 1))
    assert_close(decoded, data["decoded2d"])


def test_ramps_match_the_original(data):
    keys = [key for key in data if key.startswith("auc_") and key != "auc_x"]
    assert keys
    for key in keys:
        start, end = map(float, key.split("_")[1:])
        assert_close(ramp(np.float32(data["auc_x"]), start, end), data[key])
