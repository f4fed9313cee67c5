"""What refers to itself, is nested deeply or grows by sharing is refused, and quickly."""

from __future__ import annotations

import pickle
import time

import pytest

from metrabs.inert_pickle import load


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(pickle.UnpicklingError, match="nested"):
        load(b")" + b"\x85" * 1_000_000 + b".")
    with pytest.raises(pickle.UnpicklingError, match="key"):
        load(b"})" + b"\x85" * 1_000_000 + b"Ns.")


def test_sharing_that_explodes_is_refused() -> None:
    content = b")" + b"".join(b"q%c0h%ch%c\x86" % (i, i, i) for i in range(1, 60)) + b"."
    start = time.perf_counter()
    with pytest.raises(pickle.UnpicklingError, match="nested|share"):
        load(content)
    assert time.perf_counter() - start < 30
