"""Random environments of people: rooms, studios, landscapes, and the things in them.

An environment is a large box seen from inside. Its walls are walls, or outdoors a skyline with the
sky above.
"""

from __future__ import annotations

import dataclasses
from typing import Optional

import numpy as np

from metrabs.errors import unknown_name_error
from metrabs.synthetic import textures
from metrabs.synthetic.materials import Light, Surface
from metrabs.synthetic.solids import Solid

ENVIRONMENT_KINDS: tuple[str, ...] = (
    "room",
    "hall",
    "studio",
    "green_screen",
    "street",
    "nature",
    "void",
)


@dataclasses.dataclass(frozen=True)
class Environment:
    """What surrounds people.

    Attributes:
        low_mm, high_mm: [3] corners of the enclosing box; the floor is z = 0.
        floor, walls, ceiling: paints; the ceiling's first colour is the sky outdoors.
        skyline_mm: height from which walls are sky; None indoors.
        solids: furniture, bushes and the like.
        light: illumination.
    """

    low_mm: np.ndarray
    high_mm: np.ndarray
    floor: Surface
    walls: Surface
    ceiling: Surface
    skyline_mm: Optional[float]
    solids: tuple[Solid, ...]
    light: Light


def sample_environment(
    rng: np.random.Generator, kind: str, brightness: float = 1.0
) -> Environment:
    """Draws an empty environment.

    Args:
        rng: Source of randomness.
        kind: one of ENVIRONMENT_KINDS.
        brightness: factor on all light.

    Raises:
        UserError: for an unknown kind.
    """
    if kind not in ENVIRONMENT_KINDS:
        raise unknown_name_error("kind of environment", kind, ENVIRONMENT_KINDS)
    is_outdoor = kind in ("street", "nature")
    reach = {
        "room": (3500, 5500),
        "hall": (7000, 14000),
        "studio": (5000, 9000),
        "green_screen": (5000, 8000),
    }.get(kind, (9000, 40000))
    half = rng.uniform(reach[0], reach[1], 2)
    height = rng.uniform(2500, 3300) if kind == "room" else rng.uniform(4500, 9000)
    floor, walls, ceiling = _sample_surfaces(rng, kind)
    return Environment(
        low_mm=np.array([-half[0], -half[1], 0.0]),
        high_mm=np.array([half[0], half[1], 60000.0 if is_outdoor else height]),
        floor=floor,
        walls=walls,
        ceiling=ceiling,
        skyline_mm=float(rng.uniform(500, 0.25 * half.min())) if is_outdoor else None,
        solids=(),
        light=_sample_light(rng, is_outdoor, brightness),
    )


def sample_solid(
    rng: np.random.Generator, center_xy_mm: np.ndarray, largest_mm: float = 900.0
) -> Solid:
    """Draws something that stands on the floor at a given spot (or, rarely, hangs)."""
    half_sizes = rng.uniform([60, 60, 80], largest_mm / 2 * np.array([1, 1, 1.3]))
    lift = rng.uniform(500, 2000) if rng.random() < 0.12 else 0.0
    center = np.array([center_xy_mm[0], center_xy_mm[1], half_sizes[2] + lift])
    surface = _sample_surface(rng, rng.uniform(150, 900), 1.0)
    return Solid(center, half_sizes, rng.uniform(-np.pi, np.pi), rng.random() < 0.3, surface)


def _sample_surface(rng: np.random.Generator, tile_mm: float, saturation: float) -> Surface:
    color = natural_color(rng, saturation)
    second = np.clip(color * rng.uniform(0.5, 1.4), 0.03, 0.97)
    if rng.random() < 0.25:
        second = natural_color(rng, saturation)
    return Surface(color, second, int(rng.integers(len(textures.surface_tiles()))), tile_mm)


def natural_color(rng: np.random.Generator, saturation: float) -> np.ndarray:
    """Draws a colour [3]: mostly greyish, more often warm than cold.

    Args:
        rng: Source of randomness.
        saturation: the largest colourfulness, 0 to 1.
    """
    value = rng.uniform(0.15, 0.9)
    hue = rng.normal(0.7, 0.9)  # around orange, in sixths of the colour circle
    pure = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    strength = saturation * rng.beta(1.0, 3.0)
    return np.clip(value * (1 - strength * (1 - pure)), 0.03, 0.97)


def _sample_surfaces(rng: np.random.Generator, kind: str) -> tuple[Surface, Surface, Surface]:
    def plain(color: tuple, spread: float) -> Surface:
        """A surface of about one colour."""
        shift = rng.normal(0, spread) + rng.normal(0, 0.3 * spread, 3)
        first = np.clip(np.array(color) + shift, 0.02, 0.98)
        return Surface(first, first * 0.9, 0, 2000.0)

    if kind == "green_screen":
        green = plain((0.15, 0.62, 0.22), 0.05)
        return green, green, plain((0.3, 0.3, 0.3), 0.05)
    if kind == "studio":
        return (
            plain((0.75, 0.75, 0.74), 0.06),
            plain((0.85, 0.85, 0.84), 0.06),
            plain((0.9, 0.9, 0.9), 0.03),
        )
    if kind == "void":
        return (
            plain((0.06, 0.06, 0.07), 0.03),
            plain((0.04, 0.04, 0.05), 0.02),
            plain((0.03, 0.03, 0.03), 0.01),
        )
    if kind in ("street", "nature"):
        sky = plain((0.62, 0.75, 0.92), 0.08)
        ground = (0.32, 0.42, 0.18) if kind == "nature" else (0.45, 0.44, 0.43)
        trees = (0.16, 0.27, 0.12) if kind == "nature" else tuple(natural_color(rng, 0.6))
        floor = dataclasses.replace(
            plain(ground, 0.08), tile=int(rng.integers(9, 13)), tile_mm=rng.uniform(1500, 5000)
        )
        wall_tile = int(rng.integers(0, len(textures.surface_tiles())))
        walls = dataclasses.replace(
            plain(trees, 0.08),
            tile=wall_tile,
            tile_mm=6000.0,
            second_color=np.clip(np.array(trees) * 1.5, 0, 0.95),
        )
        return floor, walls, sky
    return (
        _sample_surface(rng, rng.uniform(800, 3500), 0.6),
        _sample_surface(rng, rng.uniform(1200, 5000), 0.7),
        plain((0.85, 0.85, 0.83), 0.06),
    )


def _sample_light(rng: np.random.Generator, is_outdoor: bool, brightness: float) -> Light:
    direction = np.array([*rng.normal(size=2), rng.uniform(0.5, 2.5)])
    direction /= np.linalg.norm(direction)
    lamp = rng.uniform(0.4, 0.75) if is_outdoor else rng.uniform(0.25, 0.6)
    warmth = rng.normal(0, 0.05) * np.array([1, 0, -1])
    ambient = rng.uniform(0.6, 0.85)
    return Light(
        direction,
        brightness * lamp * (1 + warmth),
        brightness * ambient * (1 - 0.5 * warmth),
        brightness * ambient * rng.uniform(0.55, 0.8) * np.ones(3),
    )
