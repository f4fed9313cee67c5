"""What people wear: garments, hair, skin, and how they are drawn at random in several kinds."""

from __future__ import annotations

import dataclasses

import numpy as np

from metrabs.errors import unknown_name_error
from metrabs.synthetic import textures

CLOTHING_KINDS: tuple[str, ...] = (
    "casual",
    "sport",
    "swim",
    "formal",
    "mocap",
    "markers",
    "game",
    "warm",
)
_NONE, _FULL = 0.0, 1.0


@dataclasses.dataclass(frozen=True)
class Garment:
    """Cloth of one piece: two colours [3] (0 to 1), a pattern tile and its scale."""

    color: np.ndarray
    second_color: np.ndarray
    tile: int
    tile_mm: float

    def paint(self, positions_mm: np.ndarray) -> np.ndarray:
        """Returns [N, 3] colours at positions [N, 3] on the resting body."""
        if self.tile == 0:
            return np.broadcast_to(self.color, positions_mm.shape).astype(np.float32)
        scale = textures.TILE_SIDE / self.tile_mm
        u = (positions_mm[:, 1] + 0.6 * positions_mm[:, 0]) * scale
        tile = textures.cloth_tiles()[self.tile]
        share = textures.look_up(tile, u, positions_mm[:, 2] * scale)[:, np.newaxis]
        return (self.color + share * (self.second_color - self.color)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Outfit:
    """The appearance of one person.

    Lengths are positions along the body part, 0 at the limb's root and 1 at its end (trunk: 0 at
    the crotch, 1 at the neck).

    Attributes:
        skin, lips, hair, iris, shoes: colours [3], 0 to 1.
        shirt, trousers, skirt: the garments.
        sleeve: how far the shirt covers the arm; below 0: no shirt at all.
        trouser_leg: how far the trousers cover the leg.
        waist: where trousers end and the shirt begins on the trunk.
        neckline: where the shirt ends at the front of the trunk.
        skirt_length: 0 for none, 1 for knee length.
        looseness: [3] radius factors of trunk, arms and legs.
        hair_volume: thickness of the hair relative to the head; 0: bald.
        long_hair: length of loose hair behind the neck, 0 to 1.
        has_beard, has_glasses, has_gloves, has_markers: details.
        is_barefoot: no shoes.
        sock: how far a sock goes up the leg, measured from the ankle.
        gloss: strength of highlights.
    """

    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    shoes: np.ndarray
    shirt: Garment
    trousers: Garment
    skirt: Garment
    sleeve: float
    trouser_leg: float
    waist: float
    neckline: float
    skirt_length: float
    looseness: np.ndarray
    hair_volume: float
    long_hair: float
    has_beard: bool
    has_glasses: bool
    has_gloves: bool
    has_markers: bool
    is_barefoot: bool
    sock: float
    gloss: float


def sample_outfit(rng: np.random.Generator, kind: str) -> Outfit:
    """Draws an appearance.

    Args:
        rng: Source of randomness.
        kind: one of CLOTHING_KINDS.

    Raises:
        UserError: for an unknown kind.
    """
    if kind not in CLOTHING_KINDS:
        raise unknown_name_error("kind of clothing", kind, CLOTHING_KINDS)
    skin = _sample_skin(rng)
    has_skirt = kind in ("casual", "formal", "game") and rng.random() < 0.14
    values = _sample_cut(rng, kind)
    hair = _HAIR_COLORS[rng.integers(len(_HAIR_COLORS))] * rng.uniform(0.7, 1.2)
    is_long = rng.random() < 0.35
    shirt = _sample_garment(rng, kind)
    trousers = _sample_garment(rng, kind, plain=0.75)
    if kind in ("mocap", "markers"):
        trousers = shirt
    return Outfit(
        skin=skin,
        lips=np.clip(skin * np.array([1.0, 0.62, 0.62]), 0, 1),
        hair=np.clip(hair, 0.02, 0.95),
        iris=_IRIS_COLORS[rng.integers(len(_IRIS_COLORS))],
        shoes=_sample_color(rng, saturation=0.5),
        shirt=shirt,
        trousers=trousers,
        skirt=shirt if rng.random() < 0.5 else _sample_garment(rng, kind),
        skirt_length=rng.uniform(0.4, 1.0) if has_skirt else _NONE,
        neckline=rng.uniform(0.8, 0.97),
        hair_volume=0.0 if rng.random() < 0.07 else rng.uniform(0.04, 0.18),
        long_hair=rng.uniform(0.3, 1.0) if is_long else _NONE,
        has_beard=bool(not is_long and rng.random() < 0.25),
        has_glasses=bool(rng.random() < 0.15),
        has_gloves=bool(kind == "warm" and rng.random() < 0.4),
        has_markers=kind in ("mocap", "markers"),
        **values,
    )


_HAIR_COLORS = np.array(
    [
        [0.09, 0.07, 0.06],
        [0.16, 0.10, 0.06],
        [0.32, 0.20, 0.11],
        [0.55, 0.38, 0.20],
        [0.75, 0.60, 0.36],
        [0.50, 0.22, 0.10],
        [0.55, 0.54, 0.53],
        [0.05, 0.05, 0.06],
    ]
)
_IRIS_COLORS = np.array(
    [[0.15, 0.08, 0.04], [0.2, 0.35, 0.5], [0.2, 0.35, 0.2], [0.1, 0.06, 0.04]]
)


def _sample_skin(rng: np.random.Generator) -> np.ndarray:
    """From dark brown to pale, with some variation of hue."""
    tone = rng.beta(1.6, 1.3)
    dark, pale = np.array([0.30, 0.18, 0.12]), np.array([0.93, 0.74, 0.63])
    return np.clip(dark + tone * (pale - dark) + rng.normal(0, 0.02, 3), 0.05, 0.97)


def _sample_color(rng: np.random.Generator, saturation: float = 1.0) -> np.ndarray:
    hue = rng.random() * 6
    pure = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    strength = rng.beta(1.2, 1.5) * saturation
    value = rng.uniform(0.06, 0.95)
    return value * (1 - strength * (1 - pure))


def _sample_garment(rng: np.random.Generator, kind: str, plain: float = 0.45) -> Garment:
    saturation = {"formal": 0.35, "mocap": 0.15, "markers": 0.3, "game": 1.4, "sport": 1.3}
    color = np.clip(_sample_color(rng, saturation.get(kind, 0.9)), 0, 1)
    if kind == "mocap":
        color = color * 0.25
    elif kind == "formal":
        color = color * rng.choice([0.3, 0.6, 1.0])
    is_plain = kind == "mocap" or rng.random() < plain
    tile = 0 if is_plain else int(rng.integers(1, len(textures.cloth_tiles())))
    second = np.clip(_sample_color(rng), 0, 1)
    return Garment(color, second, tile, float(rng.uniform(220, 800)))


def _sample_cut(rng: np.random.Generator, kind: str) -> dict:
    """Lengths, looseness and shoes of each kind of clothing."""
    long_sleeve, short_sleeve, top = rng.uniform(0.85, 1.0), rng.uniform(0.28, 0.5), 0.05
    long_leg, short_leg = rng.uniform(0.88, 1.0), rng.uniform(0.25, 0.6)
    sleeves = {
        "casual": [long_sleeve, short_sleeve, short_sleeve, top],
        "warm": [_FULL],
        "sport": [short_sleeve, top, short_sleeve],
        "swim": [-1.0, -1.0, top],
        "formal": [long_sleeve],
        "mocap": [_FULL],
        "markers": [-1.0, top, short_sleeve],
        "game": [long_sleeve, short_sleeve, top],
    }
    legs = {
        "casual": [long_leg, long_leg, short_leg],
        "warm": [_FULL],
        "sport": [short_leg, long_leg],
        "swim": [0.16, 0.22, 0.3],
        "formal": [_FULL],
        "mocap": [_FULL],
        "markers": [0.25, 0.3],
        "game": [long_leg, long_leg, short_leg],
    }
    loose = {
        "warm": (1.12, 1.22),
        "mocap": (1.0, 1.03),
        "markers": (1.0, 1.03),
        "swim": (1.0, 1.02),
        "sport": (1.0, 1.12),
        "formal": (1.03, 1.15),
    }
    low, high = loose.get(kind, (1.02, 1.18))
    barefoot = {"swim": 0.8, "markers": 0.6, "casual": 0.12, "sport": 0.1}
    return {
        "sleeve": float(rng.choice(sleeves[kind])),
        "trouser_leg": float(rng.choice(legs[kind])),
        "waist": float(rng.uniform(0.2, 0.4)),
        "looseness": rng.uniform([low, low, low], [high, high + 0.08, high + 0.08]),
        "is_barefoot": bool(rng.random() < barefoot.get(kind, 0.03)),
        "sock": float(rng.choice([0.0, 0.08, 0.15, 0.4], p=[0.3, 0.35, 0.25, 0.1])),
        "gloss": float(rng.uniform(0.02, 0.2) * (2 if kind == "game" else 1)),
    }
