from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.synthetic.outfits import CLOTHING_KINDS, sample_outfit


@pytest.mark.parametrize("kind", CLOTHING_KINDS)
def test_colors_are_colors(kind):
    rng = np.random.default_rng(0)
    for _ in range(20):
        outfit = sample_outfit(rng, kind)
        for color in (outfit.skin, outfit.hair, outfit.shoes, outfit.shirt.color, outfit.lips):
            assert color.shape == (3,) and color.min() >= 0 and color.max() <= 1


def test_kinds_of_clothing_differ_in_how_much_they_cover():
    rng = np.random.default_rng(1)
    cover = {
        kind: np.mean([sample_outfit(rng, kind).trouser_leg for _ in range(20)])
        for kind in ("swim", "sport", "mocap")
    }
    assert cover["swim"] < cover["sport"] < cover["mocap"]


def test_skin_tones_vary():
    rng = np.random.default_rng(2)
    tones = [sample_outfit(rng, "casual").skin.mean() for _ in range(100)]
    assert min(tones) < 0.35 and max(tones) > 0.65


def test_unknown_clothing_is_a_user_error():
    with pytest.raises(UserError, match="Unknown kind of clothing 'armour'"):
        sample_outfit(np.random.default_rng(0), "armour")
