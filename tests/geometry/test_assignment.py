from __future__ import annotations

import numpy as np

from metrabs.geometry.assignment import assign


def test_the_best_sum_of_scores_wins_over_the_best_single_score():
    assert assign(np.array([[0.9, 0.8], [0.8, 0.1]])) == [(0, 1), (1, 0)]


def test_undefined_scores_count_as_zero():
    assert assign(np.array([[np.nan, 0.5], [0.4, np.nan]])) == [(0, 1), (1, 0)]


def test_some_rows_are_not_assigned_if_there_are_fewer_columns():
    assert assign(np.array([[0.1], [0.7]])) == [(1, 0)]
    assert assign(np.zeros([2, 0])) == []
