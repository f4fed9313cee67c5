from __future__ import annotations

import numpy as np
import pytest

from metrabs.synthetic.outfits import CLOTHING_KINDS
from metrabs.synthetic.person import move_person, sample_person


@pytest.mark.parametrize("kind", CLOTHING_KINDS)
def test_people_in_every_kind_of_clothing_have_finite_skin(kind):
    person = sample_person(np.random.default_rng(1), "standing", kind)
    assert np.isfinite(person.vertices_mm).all()
    assert person.vertices_mm.dtype == np.float32
    height = np.ptp(person.vertices_mm[np.unique(person.quads), 2])
    assert 0.9 * person.state.shape.stature_mm < height < 1.3 * person.state.shape.stature_mm


def test_moving_a_person_moves_skin_and_bones_alike(person):
    moved = move_person(person, np.array([100.0, -200, 30]))
    np.testing.assert_allclose(
        moved.vertices_mm - person.vertices_mm,
        [[100, -200, 30]] * len(person.vertices_mm),
        atol=0.01,
    )
    np.testing.assert_allclose(
        moved.state.positions_mm - person.state.positions_mm,
        [[100, -200, 30]] * len(person.state.positions_mm),
    )


def test_painting_positions_do_not_depend_on_the_pose():
    people = [sample_person(np.random.default_rng(5), name, "swim") for name in ("wild", "wild")]
    np.testing.assert_array_equal(people[0].paint_positions, people[1].paint_positions)
