"""One-to-one assignment by scores, such as of predicted people to annotated ones (NumPy)."""

from __future__ import annotations

import numpy as np
import scipy.optimize


def assign(scores: np.ndarray) -> list[tuple[int, int]]:
    """Assigns rows and columns one to one, so that the sum of the scores is the largest.

    Args:
        scores: `[n, m]`; NaN counts as 0.

    Returns:
        min(n, m) pairs (row, column), sorted by row.
    """
    rows, columns = scipy.optimize.linear_sum_assignment(np.nan_to_num(scores), maximize=True)
    return list(zip(rows.tolist(), columns.tolist()))
