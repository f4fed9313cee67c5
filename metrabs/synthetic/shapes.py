"""Random body measures: height, proportions, girth, and differences of build."""

from __future__ import annotations

import numpy as np

from metrabs.synthetic.body import (
    BONE_NAMES,
    BONE_STEMS,
    REFERENCE_EXTENTS,
    REFERENCE_ORIGINS,
    BodyShape,
    bone_id,
)

_REFERENCE_STATURE_MM = 1750.0
_TORSO = ("pelvis", "lumbar", "midback", "chest")
_ARM = ("upper_arm", "forearm")
_LEG = ("thigh", "shin")
_CHILD_SHARE = 0.06


def reference_shape() -> BodyShape:
    """Returns the measures of the average adult, 1750 mm tall."""
    return BodyShape(REFERENCE_ORIGINS.copy(), REFERENCE_EXTENTS.copy(), _REFERENCE_STATURE_MM)


def sample_shape(rng: np.random.Generator) -> BodyShape:
    """Draws the measures of a person.

    Statures follow two overlapping normal distributions of adults (about 1640 and 1770 mm) with
    a few children; limb, shoulder, hip and girth proportions vary independently.
    """
    build = float(np.clip(rng.normal(rng.choice([-1.0, 1.0]), 0.5), -2, 2))  # narrow to broad
    is_child = rng.random() < _CHILD_SHARE
    stature = rng.uniform(1150, 1500) if is_child else rng.normal(1705 + 65 * build, 60)
    stature = float(np.clip(stature, 1100, 2050))
    scale = np.ones([len(BONE_NAMES), 3])
    origin_scale = np.ones_like(scale)
    _scale_lengths(scale, origin_scale, rng)
    _scale_girths(scale, origin_scale, rng, build)
    if is_child:
        scale[bone_id("head")] *= 1.25 - 0.0005 * (stature - 1100)
    extents = REFERENCE_EXTENTS * scale
    origins = REFERENCE_ORIGINS * origin_scale
    upright = _upright_height(origins, extents)
    factor = stature / upright
    return BodyShape(origins * factor, extents * factor, stature)


def _upright_height(origins: np.ndarray, extents: np.ndarray) -> float:
    chain = ("lumbar", "midback", "chest", "neck", "head")
    above_hips = sum(origins[bone_id(name), 2] for name in chain) + extents[bone_id("head"), 2]
    legs = origins[bone_id("l_shin"), 2] + origins[bone_id("l_foot"), 2]
    return float(above_hips - legs - extents[bone_id("l_foot"), 2])


def _select(stems: tuple[str, ...]) -> list[int]:
    return [index for index, stem in enumerate(BONE_STEMS) if stem in stems]


def _scale_lengths(scale: np.ndarray, origin_scale: np.ndarray, rng: np.random.Generator) -> None:
    """Makes limbs and trunk longer or shorter; children of a bone move with its end."""
    child_of = {"upper_arm": "forearm", "forearm": "hand", "thigh": "shin", "shin": "foot"}
    for part, sigma in ((_ARM, 0.035), (_LEG, 0.035)):
        common = rng.normal(1.0, sigma)
        for name in part:
            factor = common * rng.normal(1.0, 0.02)
            scale[_select((name,)), 2] *= factor
            origin_scale[_select((child_of[name],)), 2] *= factor
    trunk = rng.normal(1.0, 0.02)
    scale[_select(_TORSO), 2] *= trunk
    origin_scale[_select(("lumbar", "midback", "chest", "neck")), 2] *= trunk
    neck = rng.normal(1.0, 0.08)
    scale[bone_id("neck"), 2] *= neck
    origin_scale[bone_id("head"), 2] *= neck
    hand_and_foot = rng.normal(1.0, 0.04)
    for names in (("hand", "fingers", "fingertips", "thumb"), ("foot", "toes")):
        scale[_select(names), 0] *= hand_and_foot
        scale[_select(names), 1] *= hand_and_foot


def _scale_girths(
    scale: np.ndarray, origin_scale: np.ndarray, rng: np.random.Generator, build: float
) -> None:
    """Thickens or thins the body; a broad build has wider shoulders, a narrow one wider hips."""
    girth = float(np.clip(np.exp(rng.normal(0.0, 0.10)), 0.8, 1.4))
    scale[_select(_TORSO), :2] *= girth
    scale[_select(_LEG), :2] *= girth**0.8
    scale[_select(_ARM), :2] *= girth**0.8 * (1 + 0.06 * build)
    scale[bone_id("neck"), :2] *= girth**0.5 * (1 + 0.06 * build)
    belly = max(0.0, rng.normal(0.0, 0.12)) * (girth > 1)
    scale[bone_id("lumbar"), 0] *= 1 + belly
    scale[bone_id("midback"), 0] *= 1 + 0.6 * belly
    scale[bone_id("lumbar"), :2] *= 1 + 0.03 * build
    shoulders = (1 + 0.05 * build) * rng.normal(1.0, 0.025)
    scale[_select(("clavicle",)), 1] *= shoulders
    origin_scale[_select(("upper_arm",)), 1] *= shoulders
    scale[bone_id("chest"), 1] *= shoulders
    hips = (1 - 0.03 * build) * rng.normal(1.0, 0.025)
    scale[bone_id("pelvis"), 1] *= hips
    origin_scale[_select(("thigh",)), 1] *= hips
