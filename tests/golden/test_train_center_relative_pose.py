from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry.masked import center_relative_pose
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_center_relative_pose")


def test_centring_matches_the_original(data):
    coords3d, mask = data["coords3d"], data["mask"]
    results = {
        "mean_masked": center_relative_pose(coords3d, mask),
        "mean_nomask": center_relative_pose(coords3d),
        "last_joint": center_relative_pose(coords3d, center_is_mean=False),
        "depth_nomask": center_relative_pose(coords3d[..., 2]),
        "mean_center_joints": center_relative_pose(
            coords3d, mask, center_joints=data["center_joints"]
        ),
    }
    for name, actual in results.items():
        assert_close(actual, data[name], rtol=1e-6)


def test_original_array_version_has_nan_at_invalid_joints(data):
    expected = data["numpy_mean_masked_allow_nan"]
    num_poses = len(expected)
    mask = data["mask"][:num_poses]
    actual = center_relative_pose(data["coords3d"][:num_poses], mask).numpy()
    assert_close(np.where(mask[..., np.newaxis], actual, np.nan), expected, rtol=1e-6)
