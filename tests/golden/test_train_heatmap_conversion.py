from __future__ import annotations

import re

from metrabs.models import heads
from tests.golden.tolerances import assert_close

KEY = r"side(\d+)_centered(\d)_stridetest(\d+)_(train_)?(image|metric|25d)"


def test_heatmap_conversions_match_the_original(golden):
    data = golden("train_heatmap_conversion")
    cases = {key: re.fullmatch(KEY, key) for key in data if key.startswith("side")}
    assert cases and all(cases.values())
    for key, case in cases.items():
        side, centered, stride_test, is_train, target = case.groups()
        stride = int(data["stride_train"]) if is_train else int(stride_test)
        settings = dict(proc_side=int(side), stride=stride, centered_stride=centered == "1")
        if target == "image":
            actual = heads.heatmap_to_image(data["coords2d"], **settings)
        else:
            convert = getattr(heads, f"heatmap_to_{target}")
            box_size_mm = float(data["box_size_mm"])
            actual = convert(data["coords3d"], box_size_mm=box_size_mm, **settings)
        assert_close(actual, data[key], rtol=1e-6)
