from __future__ import annotations

import numpy as np

from metrabs.synthetic import body
from metrabs.synthetic.shapes import reference_shape, sample_shape


def _standing_height(shape: body.BodyShape) -> float:
    positions = body.rest_positions(shape)
    head, foot = body.bone_id("head"), body.bone_id("l_foot")
    return (positions[head, 2] + shape.extents[head, 2]) - (
        positions[foot, 2] + shape.extents[foot, 2]
    )


def test_reference_person_is_175_centimetres_tall():
    assert _standing_height(reference_shape()) == reference_shape().stature_mm == 1750


def test_sampled_people_are_as_tall_as_they_say_and_of_plausible_height():
    rng = np.random.default_rng(0)
    shapes = [sample_shape(rng) for _ in range(300)]
    heights = np.array([_standing_height(shape) for shape in shapes])
    np.testing.assert_allclose(heights, [shape.stature_mm for shape in shapes])
    assert heights.min() >= 1100 and heights.max() <= 2050
    assert 1600 < np.median(heights) < 1800


def test_both_sides_have_the_same_measures():
    shape = sample_shape(np.random.default_rng(1))
    np.testing.assert_array_equal(shape.extents, shape.extents[body.MIRRORED_BONES])
    np.testing.assert_array_equal(shape.origins, shape.origins[body.MIRRORED_BONES])


def test_proportions_vary_between_people():
    rng = np.random.default_rng(2)
    shapes = [sample_shape(rng) for _ in range(50)]
    thigh = np.array([s.extents[body.bone_id("l_thigh")] / s.stature_mm for s in shapes])
    assert (thigh.std(axis=0) / np.abs(thigh.mean(axis=0)) > 0.02).all()
