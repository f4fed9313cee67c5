from __future__ import annotations

import re

import numpy as np

from metrabs.geometry.projection import is_within_fov


def test_field_of_view_masks_match_the_original(golden):
    data = golden("train_fov")
    cases = [key for key in data if key.startswith("side")]
    assert cases
    for key in cases:
        side, centered, border, far = re.fullmatch(
            r"side(\d+)_centered(\d)_border([-.\d]+)(_far)?", key
        ).groups()
        actual = is_within_fov(
            data["points_far" if far else "points"],
            proc_side=int(side),
            stride=int(data["stride_train"]),
            centered_stride=bool(int(centered)),
            border_factor=float(border),
        )
        assert np.array_equal(actual, data[key]), key
