from __future__ import annotations

import numpy as np

from metrabs.models.heads import HeatmapHeads
from tests.golden.tolerances import assert_close


def test_writing_the_last_points_of_a_head_matches_the_original(golden):
    data = golden("train_set_last_point_weights")
    depth, features = int(data["depth"]), data["features"]
    cases = [key[: -len("_kernel_before")] for key in data if key.endswith("_kernel_before")]
    assert cases
    for case in cases:
        before = data[f"{case}_kernel_before"], data[f"{case}_bias_before"]
        heads = HeatmapHeads(before[1].size // (1 + depth), depth)
        heads.build(features.shape)
        heads.conv.set_weights(before)
        heads.set_last_point_weights(data[f"{case}_kernel_other"], data[f"{case}_bias_other"])
        kernel, bias = heads.conv.get_weights()
        np.testing.assert_array_equal(kernel, data[f"{case}_kernel_after"])
        np.testing.assert_array_equal(bias, data[f"{case}_bias_after"])
        coords2d, coords3d_rel = heads(features)
        assert_close(coords2d, data[f"{case}_coords2d_after"])
        assert_close(coords3d_rel, data[f"{case}_coords3d_after"])
