"""How closely computed numbers must match the golden numbers of the original implementation."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_close(actual: Any, expected: Any, rtol: float = 1e-5, atol: float = 0.0) -> None:
    """Asserts |actual - expected| <= rtol * max|expected| + atol, elementwise; NaN equals NaN.

    The bound is relative to the largest element of the array, since a small coordinate of a large
    pose carries the rounding error of the pose.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"shape {actual.shape} instead of {expected.shape}"
    if expected.size == 0:
        return
    assert np.array_equal(np.isnan(actual), np.isnan(expected)), "NaN at different places"
    finite = np.abs(expected[np.isfinite(expected)])
    bound = rtol * (finite.max() if finite.size else 0.0) + atol
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    worst = np.nanmax(difference) if not np.isnan(difference).all() else 0.0
    assert worst <= bound, f"largest difference {worst:.3g} exceeds {bound:.3g}"
