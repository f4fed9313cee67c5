from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.evaluation.protocols import human36m


@pytest.mark.parametrize(("path", "activity"), [
    ("h36m/S9/Images/SittingDown 1.60457274/frame_000064.jpg", "SittingDown"),
    ("h36m/S11/Images/Walking.54138969/frame_000000.jpg", "Walking"),
    ("h36m/S11/Images/TakingPhoto 1.54138969/frame_000000.jpg", "Photo"),
    ("h36m/S11/Images/WalkingDog.54138969/frame_000000.jpg", "WalkDog"),
])  # fmt: skip
def test_the_activity_is_the_first_word_of_the_folder(path, activity):
    assert human36m.activity_of(path) == activity


def test_the_average_is_over_poses_and_not_over_activities():
    true = np.zeros([3, 17, 3])
    true[:, 1:, 0] = 100
    pred = true.copy()
    pred[2, 1:, 1] = 17  # 16 joints are 17 mm off, the root is not
    numbers = human36m.error_per_activity(pred, true, ["Eating", "Eating", "Walking"])
    assert numbers["Eating"] == 0 and numbers["Walking"] == pytest.approx(16)
    assert numbers["Average"] == pytest.approx(16 / 3)
    assert np.isnan(numbers["Posing"])


def test_an_unknown_activity_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UserError, match="Dancing.*WalkTogether"):
        human36m.error_per_activity(np.zeros([1, 17, 3]), np.zeros([1, 17, 3]), ["Dancing"])
