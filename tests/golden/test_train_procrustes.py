from __future__ import annotations

import re

import numpy as np
import pytest

from metrabs.geometry.procrustes import find_similarity_transform, rigid_align
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_procrustes")


def test_aligned_poses_match_the_original(data):
    pred, true, mask = data["coords_pred"], data["coords_true"], data["mask"]
    num_compared = 0
    for key, expected in data.items():
        match = re.fullmatch(r"(?:tf|np)_(nomask_)?scale(\d)_reflection(\d)", key)
        if match:
            nomask, scale, reflection = match.groups()
            actual = rigid_align(
                pred,
                true,
                None if nomask else mask,
                scale=scale == "1",
                reflection=reflection == "1",
            )
            assert_close(actual, expected, rtol=1e-5)
            num_compared += 1
    assert num_compared


def test_transforms_match_the_original(data):
    pred, true = (data[name].astype(np.float64) for name in ("coords_pred", "coords_true"))
    transform = find_similarity_transform(pred, true, data["mask"], True, False)
    for name, actual in transform._asdict().items():
        assert_close(actual, data[f"transf_{name}"], rtol=1e-5)


def test_single_pose_with_the_better_reflection_matches_the_original(data):
    pred, true, mask = (data[name][:1] for name in ("coords_pred", "coords_true", "mask"))
    pred, true = pred.astype(np.float64), true.astype(np.float64)
    transform = find_similarity_transform(pred, true, mask, scale=True, reflection=True)
    assert_close(transform.rotation[0], data["np0_rotation"], rtol=1e-5)
    assert_close(transform.scale.squeeze(), data["np0_scale"], rtol=1e-5)
    translation = transform.mean_true - transform.mean_pred @ transform.rotation * transform.scale
    assert_close(translation.squeeze(), data["np0_translation"], rtol=1e-5)
    valid_true, residual = true[mask], (transform.apply(pred) - true)[mask]
    spread = np.square(valid_true - valid_true.mean(axis=0)).sum()
    assert_close(np.square(residual).sum() / spread, data["np0_d"], rtol=1e-5)
