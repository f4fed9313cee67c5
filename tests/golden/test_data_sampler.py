"""Adaptive pose sampling against golden decisions of the original implementation."""

from __future__ import annotations

import re

import numpy as np

from data_preparation.common.sampling import AdaptivePoseSampler


def test_same_poses_are_kept(golden):
    numbers = golden("data_sampler")
    cases = [
        (key, re.fullmatch(r"(\w+)/s(1|2b(\d+))/cv([01])_nu([01])", key))
        for key in numbers
        if "/" in key
    ]
    assert cases
    for key, match in cases:
        walk, _, buffer_size, check_validity, assume_nan_unchanged = match.groups()
        sampler = AdaptivePoseSampler(
            100, check_validity == "1", assume_nan_unchanged == "1", int(buffer_size or 1)
        )
        is_skipped = [not sampler.keep_if_moved(pose) for pose in numbers[walk]]
        np.testing.assert_array_equal(is_skipped, numbers[key], err_msg=key)
