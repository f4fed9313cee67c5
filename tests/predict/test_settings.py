from __future__ import annotations

import pytest

from metrabs.errors import UserError
from metrabs.predict.settings import PredictionSettings


@pytest.mark.parametrize("name", ["num_aug", "antialias_factor", "internal_batch_size",
                                  "max_detections"])
def test_impossible_numbers_are_rejected(name):
    with pytest.raises(UserError, match=f"'{name}' must be at least"):
        PredictionSettings(**{name: -2})


@pytest.mark.parametrize("name", ["detector_threshold", "detector_nms_iou_threshold"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_thresholds_are_between_0_and_1(name, value):
    with pytest.raises(UserError, match=f"'{name}' must be at least 0 and at most 1"):
        PredictionSettings(**{name: value})
