from __future__ import annotations

import numpy as np

from metrabs.data.augmentation.sampling import child_generator, sample_item, uniform_in_disc


def test_points_fill_the_disc_uniformly():
    rng = np.random.default_rng(0)
    radii = np.linalg.norm([uniform_in_disc(rng) for _ in range(4000)], axis=1)
    assert radii.max() <= 1
    assert abs((radii < 0.5).mean() - 0.25) < 0.03


def test_every_item_is_chosen():
    rng = np.random.default_rng(0)
    assert {sample_item("abc", rng) for _ in range(50)} == set("abc")
    assert sample_item(["only"], rng) == "only"


def test_a_child_takes_one_draw_from_its_parent():
    parent, same = np.random.default_rng(0), np.random.default_rng(0)
    child_generator(parent).random(100)
    same.integers(0, 2**32 - 1)
    assert parent.random() == same.random()
