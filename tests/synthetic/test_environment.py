from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.synthetic.environment import (
    ENVIRONMENT_KINDS,
    natural_color,
    sample_environment,
    sample_solid,
)


@pytest.mark.parametrize("kind", ENVIRONMENT_KINDS)
def test_environments_have_a_floor_at_zero_and_room_for_people(kind):
    environment = sample_environment(np.random.default_rng(1), kind)
    assert environment.low_mm[2] == 0
    assert (environment.high_mm > 2400).all() and (environment.low_mm[:2] < -2400).all()
    assert (environment.skyline_mm is not None) == (kind in ("street", "nature"))


def test_solids_stand_on_the_floor_or_hang_above_it():
    rng = np.random.default_rng(0)
    for _ in range(30):
        solid = sample_solid(rng, np.array([100.0, 200.0]))
        assert solid.corners_mm()[:, 2].min() > -1e-6
        np.testing.assert_allclose(solid.corners_mm()[:, :2].mean(axis=0), [100, 200])


def test_natural_colors_are_mostly_greyish():
    rng = np.random.default_rng(0)
    colors = np.array([natural_color(rng, 0.6) for _ in range(500)])
    assert (np.ptp(colors, axis=1) < 0.3).mean() > 0.8
    assert colors.min() >= 0 and colors.max() <= 1


def test_unknown_kind_is_a_user_error():
    with pytest.raises(UserError, match="Unknown kind of environment 'moon'"):
        sample_environment(np.random.default_rng(0), "moon")
