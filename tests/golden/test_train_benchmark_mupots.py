from __future__ import annotations

import itertools

import numpy as np
import pytest

from metrabs.evaluation.metrics import wacv_metrics
from metrabs.evaluation.protocols import mupots
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_benchmark_mupots")


@pytest.fixture
def matches(data):
    true, pred = (
        mupots.People(
            *(data[f"mupots_{k}_{name}"] for name in ("seq", "frame")),
            data[f"mupots_{kind}3d"],
            data[f"mupots_{kind}2d"],
        )
        for k, kind in (("t", "true"), ("p", "pred"))
    )
    return mupots.match_people(true, pred)


def test_matched_people_are_those_of_the_original(data, matches):
    of_true, of_pred = matches
    assert_close(data["mupots_true3d"][of_true], data["mupots_matched_true"])
    assert_close(data["mupots_univ3d"][of_true], data["mupots_matched_univ"])
    assert_close(data["mupots_pred3d"][of_pred], data["mupots_matched_pred"])
    num_matched = np.bincount(data["mupots_t_seq"][of_true])
    assert np.array_equal(num_matched, data["mupots_n_matched"])
    recall = len(of_true) / len(data["mupots_true3d"])
    assert_close(recall, data["mupots_recall"], rtol=1e-6)


def test_rescaled_bones_match_the_original(data):
    pred = data["mupots_matched_pred"]
    candidates = [
        mupots.rescale_bones(pred, data[f"mupots_matched_{truth}"]) for truth in ("true", "univ")
    ]
    errors = [np.abs(rescaled - data["mupots_rescaled"]).max() for rescaled in candidates]
    assert min(errors) < 1e-3


def test_numbers_of_all_combinations_match_the_original(data, matches):
    of_true, of_pred = matches
    assert list(data["mupots_metric_names"]) == list(mupots.METRIC_NAMES)
    pred = data["mupots_pred3d"][of_pred]
    for universal, relative, rescaled in itertools.product((True, False), repeat=3):
        true = data["mupots_univ3d" if universal else "mupots_true3d"][of_true]
        numbers = mupots.numbers_per_sequence(
            pred,
            true,
            data["mupots_t_seq"][of_true],
            data["mupots_n_annotated"],
            relative,
            rescaled,
        )
        name = (
            f"mupots_{'univ' if universal else 'nonuniv'}_"
            f"{'rootrel' if relative else 'nonrootrel'}_"
            f"{'rescale' if rescaled else 'norescale'}"
        )
        assert_close(np.array(list(numbers.values())), data[name], rtol=1e-6)


def test_wacv_numbers_are_those_of_matched_people(data, matches):
    of_true, of_pred = matches
    numbers = wacv_metrics(
        data["mupots_pred3d"][of_pred], data["mupots_true3d"][of_true], mupots.ROOT_JOINT
    )
    assert_close(np.array(list(numbers.values())), data["mupots_wacv23"], rtol=1e-6)
