from __future__ import annotations

import numpy as np
import pytest

from metrabs.evaluation.protocols import mpi_inf_3dhp


def test_joints_beyond_the_first_14_count_in_the_mean_error_only():
    true = np.random.default_rng(0).normal(size=(2, 17, 3)) * 300
    pred = true.copy()
    pred[:, 16, 2] += 1000
    numbers = mpi_inf_3dhp.classic_numbers(pred, true, ["Sports", "Misc."], ["outdoor"] * 2)
    assert numbers["PCK@150"] == numbers["Sports"] == numbers["outdoor"] == 100
    assert numbers["MPJPE"] == pytest.approx(1000 / 17)
    assert np.isnan(numbers["Exercise"])


def test_outdoor_numbers_are_those_of_outdoor_poses_alone():
    rng = np.random.default_rng(1)
    true = rng.normal(size=(4, 17, 3)) * 300
    pred = true + rng.normal(size=true.shape) * 50
    scenes = ["green-screen", "outdoor", "outdoor", "no-green-screen"]
    numbers = mpi_inf_3dhp.wacv_numbers(pred, true, scenes)
    alone = mpi_inf_3dhp.wacv_numbers(pred[1:3], true[1:3], ["outdoor"] * 2)
    assert len(numbers) == 38
    assert numbers["CPS@150 outdoor"] == alone["CPS@150"]
    assert numbers["MPJPE outdoor"] == alone["MPJPE"] != numbers["MPJPE"]
