from __future__ import annotations

import re

import pytest

from metrabs.training.validation import pose_metrics
from tests.golden.tolerances import assert_close


@pytest.mark.parametrize("mean_relative", [0, 1])
@pytest.mark.parametrize("kind", ["abs", "rel"])
def test_validation_metrics_match_the_original(golden, mean_relative, kind):
    data = golden("train_eval_metrics")
    is_absolute = kind == "abs"
    actual = pose_metrics(
        data["coords3d_pred"],
        data["coords3d_true"],
        data["joint_validity_mask"],
        list(data["names3d"]),
        is_absolute=is_absolute,
        mean_relative=bool(mean_relative),
        coords2d_pred=data["coords2d_pred"] if is_absolute else None,
        coords2d_true=data["coords2d_true"] if is_absolute else None,
    )
    prefix = f"meanrel{mean_relative}_{kind}_"
    expected = {re.sub(prefix, "", key): data[key] for key in data if key.startswith(prefix)}
    assert sorted(actual) == sorted(expected)
    for name, value in expected.items():
        assert_close(actual[name], value, rtol=1e-5)
