"""Run-length encoded masks: round trips and strings known from COCO's own tool."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_strategies

from metrabs.data.storage.masks import decode_mask, encode_mask
from metrabs.errors import UserError

SHAPES = numpy_strategies.array_shapes(min_dims=2, max_dims=2, max_side=40)


@given(numpy_strategies.arrays(np.bool_, SHAPES), st.booleans())
def test_decoding_inverts_encoding(mask, use_zlib):
    encoded = encode_mask(mask, use_zlib)
    decoded = decode_mask(encoded)
    assert decoded.dtype == np.uint8 and decoded.flags.c_contiguous
    np.testing.assert_array_equal(decoded, mask)
    assert encoded["size"] == list(mask.shape)


@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=12))
def test_run_lengths_of_any_size_survive(runs):
    pixels = np.repeat(np.arange(len(runs)) % 2, runs)
    mask = pixels.reshape(1, -1)
    np.testing.assert_array_equal(decode_mask(encode_mask(mask)), mask)


@pytest.mark.parametrize(
    "mask, counts",
    [
        (np.zeros((5, 7)), b"S1"),
        (np.ones((5, 7)), b"0S1"),
        (np.ones((1, 1)), b"01"),
        (np.zeros((3000, 4000)), b"PhV^;"),
    ],
)
def test_strings_are_those_of_the_coco_tool(mask, counts):
    assert encode_mask(mask, use_zlib=False) == {"size": list(mask.shape), "counts": counts}


def test_runs_go_down_the_columns_and_start_with_zeros():
    mask = np.array([[0, 1, 1], [1, 0, 1]], np.uint8)
    np.testing.assert_array_equal(decode_mask({"size": [2, 3], "counts": [1, 2, 1, 2]}), mask)
    # Differences from the fourth run on: 1, 2, 1, then 2 - 2.
    assert encode_mask(mask, use_zlib=False)["counts"] == b"1210"


def test_all_forms_of_counts_are_read():
    text = encode_mask(np.eye(6), use_zlib=False)["counts"]
    for counts in ({"counts": text}, {"counts": text.decode()}, {"zcounts": zlib.compress(text)}):
        np.testing.assert_array_equal(decode_mask({"size": [6, 6], **counts}), np.eye(6))


def test_any_non_zero_value_is_inside():
    np.testing.assert_array_equal(decode_mask(encode_mask(np.diag([255, -1, 0.5]))), np.eye(3))


def test_a_mask_of_another_size_is_an_error():
    encoded = encode_mask(np.eye(6))
    with pytest.raises(UserError, match="36 pixels.*5 x 6"):
        decode_mask({**encoded, "size": [5, 6]})
