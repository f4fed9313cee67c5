from __future__ import annotations

import dataclasses

import numpy as np

from metrabs.synthetic.clothing import paint, spoke_scale
from metrabs.synthetic.lofts import PARTS
from metrabs.synthetic.mesh import topology
from metrabs.synthetic.outfits import Garment, Outfit, sample_outfit


def _outfit(**changes: object) -> Outfit:
    red = Garment(np.array([1.0, 0, 0]), np.zeros(3), 0, 500.0)
    blue = Garment(np.array([0, 0, 1.0]), np.zeros(3), 0, 500.0)
    plain = {
        "shirt": red,
        "trousers": blue,
        "sleeve": 0.5,
        "trouser_leg": 0.5,
        "waist": 0.3,
        "neckline": 0.9,
        "skin": np.full(3, 0.6),
        "has_markers": False,
        "sock": 0.0,
        "is_barefoot": True,
        "has_glasses": False,
        "has_beard": False,
        "hair_volume": 0.1,
    }
    outfit = sample_outfit(np.random.default_rng(0), "casual")
    return dataclasses.replace(outfit, **{**plain, **changes})


def _paint(outfit: Outfit, part: str, along: float, position: tuple = (0, 0, 0)) -> list[float]:
    colors = paint(outfit, np.array([PARTS.index(part)]), np.array([along]), np.array([position]))
    return np.round(colors[0], 3).tolist()


def test_sleeves_and_trouser_legs_end_where_the_outfit_says():
    red, blue, skin = [1, 0, 0], [0, 0, 1], [0.6, 0.6, 0.6]
    outfit = _outfit()
    assert (
        _paint(outfit, "arm", 0.4) == red
        and _paint(outfit, "arm", 0.6) == np.float32(skin).round(3).tolist()
    )
    assert _paint(outfit, "leg", 0.4) == blue and _paint(outfit, "leg", 0.6) != blue
    assert _paint(outfit, "torso", 0.2) == blue and _paint(outfit, "torso", 0.5) == red


def test_face_has_eyes_at_the_front_and_hair_at_the_back():
    outfit = _outfit()
    eye_white = _paint(outfit, "head", 0.5, (0.9, 0.27, 0.5))
    assert min(eye_white) > 0.9
    assert (
        _paint(outfit, "head", 0.5, (0.9, 0.39, 0.5)) == np.float32(outfit.iris).round(3).tolist()
    )
    hair = np.float32(outfit.hair).round(3).tolist()
    assert _paint(outfit, "head", 0.5, (-1.0, 0, 0.5)) == hair
    assert _paint(_outfit(hair_volume=0.0), "head", 0.5, (-1.0, 0, 0.5)) != hair


def test_people_without_a_shirt_show_their_skin():
    bare = _outfit(sleeve=-1.0)
    assert _paint(bare, "torso", 0.6) == _paint(bare, "hand", 0.5)


def test_skirt_and_long_hair_are_hidden_unless_worn():
    directions = np.zeros([len(topology().vertex_parts), 3])
    parts = topology().vertex_parts
    without = spoke_scale(_outfit(skirt_length=0.0, long_hair=0.0), directions)
    worn = spoke_scale(_outfit(skirt_length=1.0, long_hair=1.0), directions)
    for part in ("skirt", "hair"):
        chosen = parts == PARTS.index(part)
        assert (without[chosen] == 0).all() and (worn[chosen] > 0).all()
