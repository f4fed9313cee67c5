from __future__ import annotations

import re

import pytest

from metrabs.geometry import masked
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_masked_stats")


def test_masked_means_and_sums_match_the_original(data):
    num_compared = 0
    for key, expected in data.items():
        match = re.fullmatch(r"(mean|sum)_(all|axis(\d+)(_keep)?|none)", key)
        if match:
            kind, which, digits, keep = match.groups()
            function = masked.masked_mean if kind == "mean" else masked.masked_sum
            axis = [int(digit) for digit in digits] if digits else None
            mask = None if which == "none" else data["mask"]
            assert_close(function(data["x"], mask, axis, keepdims=bool(keep)), expected)
            num_compared += 1
    assert num_compared


def test_spreads_match_the_original(data):
    mean, stdev = masked.masked_mean_and_stdev(data["x"], data["mask"])
    assert_close(mean, data["meanstdev_mean"])
    assert_close(stdev, data["meanstdev_stdev"])


def test_aligned_2d_skeletons_match_the_original(data):
    actual = masked.align_2d_skeletons(data["x"], data["y"], data["mask"])
    assert_close(actual, data["align_2d_skeletons_x_to_y"])
