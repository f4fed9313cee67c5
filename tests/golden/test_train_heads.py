from __future__ import annotations

import re

from metrabs.models.heads import HeatmapHeads
from tests.golden.tolerances import assert_close


def make_heads(data, side, **settings):
    heads = HeatmapHeads(
        int(data["n_points"]),
        int(data["depth"]),
        proc_side=side,
        box_size_mm=float(data["box_size_mm"]),
        stride_train=int(data["stride_train"]),
        **settings,
    )
    kernel = data[f"side{side}_kernel"]
    heads.build([None, None, None, kernel.shape[2]])
    heads.conv.set_weights([kernel, data[f"side{side}_bias"]])
    return heads


def test_head_outputs_match_the_original_for_all_sides_and_strides(golden):
    data = golden("train_heads")
    cases = [re.fullmatch(r"(side(\d+)_centered(\d))_coords2d", key) for key in data]
    cases = [case for case in cases if case]
    assert cases
    for prefix, side, centered in (case.groups() for case in cases):
        heads = make_heads(
            data, int(side), stride_test=int(data["stride_test"]), centered_stride=centered == "1"
        )
        coords2d, coords3d_rel = heads(data[f"side{side}_features"], training=False)
        assert_close(coords2d, data[f"{prefix}_coords2d"])
        assert_close(coords3d_rel, data[f"{prefix}_coords3d_rel"])


def test_another_stride_at_test_time_matches_the_original(golden):
    data = golden("train_heads")
    strides = {
        re.match(r"stridetest(\d+)_", key).group(1) for key in data if key.startswith("stridetest")
    }
    assert strides
    for stride in strides:
        heads = make_heads(data, 256, stride_test=int(stride))
        coords2d, coords3d_rel = heads(data[f"stridetest{stride}_features"], training=False)
        assert_close(coords2d, data[f"stridetest{stride}_coords2d"])
        assert_close(coords3d_rel, data[f"stridetest{stride}_coords3d_rel"])
