"""Random plausible poses in classes: standing, walking, sitting, gymnastics and others.

A class is a recipe: ranges of joint angles in degrees, the lean of the whole body, and whether
the soles are kept level. Poses are mirrored half of the time, so left and right are statistically
alike; all angles are held within joint limits.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from metrabs.errors import unknown_name_error
from metrabs.synthetic.body import (
    BONE_IDS,
    BONE_STEMS,
    MIRRORED_BONES,
    NUM_BONES,
    BodyState,
    Pose,
    bone_id,
    mirror_pose,
    move_body,
    points_on_body,
    rotation_matrices,
)
from metrabs.synthetic.pose_recipes import JOINT_LIMITS, RECIPES, Ranges, Recipe

_LOW = np.array([[r[0] for r in JOINT_LIMITS[stem]] for stem in BONE_STEMS], np.float64)
_HIGH = np.array([[r[1] for r in JOINT_LIMITS[stem]] for stem in BONE_STEMS], np.float64)
_IS_MOVABLE = _HIGH > _LOW

POSE_CLASSES: tuple[str, ...] = tuple(RECIPES)

# Points that may touch the floor: bone, x, y, z in units of its extent.
_CONTACTS = (
    *(("foot", x, y, 1) for x in (-0.4, 0.9) for y in (-0.7, 0.8)),
    ("toes", 1, 0, 1),
    ("shin", 1, 0, 0),
    ("shin", -0.9, 0, 0.4),
    ("hand", 0, 1, 0.5),
    ("hand", 0, -1, 0.9),
    ("fingertips", 0, 0, 1),
    ("fingers", 0, 0, 0.2),
    ("forearm", 0, 1, 0),
    ("forearm", -1, 0, 0),
    ("upper_arm", 0, 1, 0),
    ("upper_arm", -1, 0, 0.1),
    ("thigh", -1, 0, 0.2),
    ("thigh", 1, 0, 0.6),
    ("thigh", 0, 1, 0.2),
    ("pelvis", -1, 0.45, -0.5),
    ("pelvis", 0, 1, 0.1),
    ("pelvis", 1, 0.4, 0),
    ("chest", -1, 0.5, 0.4),
    ("chest", 1, 0.5, 0.3),
    ("head", -1, 0, 0.6),
    ("head", 1.1, 0, 0.4),
    ("head", 0, 0, 1),
    ("head", 0, 1, 0.5),
    ("lumbar", -1, 0.3, 0.5),
    ("foot", 0, 1, 0),
    ("midback", 1, 0.3, 0.3),
    ("pelvis", -0.6, 0.4, -0.75),
    ("thumb", 0, 0, 1.1),
    *((bone, x, 0, 0.6) for bone in ("hand", "fingers", "fingertips") for x in (-1, 1)),
)


def sample_pose(rng: np.random.Generator, pose_class: str) -> Pose:
    """Draws a pose of a class, facing a random direction, pelvis at the world's origin.

    Args:
        rng: Source of randomness.
        pose_class: one of POSE_CLASSES.

    Raises:
        UserError: for an unknown class.
    """
    if pose_class not in RECIPES:
        raise unknown_name_error("pose class", pose_class, POSE_CLASSES)
    recipes = RECIPES[pose_class]
    recipe = recipes[rng.integers(len(recipes))]
    angles = _sample_angles(rng, recipe)
    pitch = rng.uniform(*recipe.pitch)
    if recipe.gait_degrees is not None:
        _add_gait(angles, rng.uniform(*recipe.gait_degrees), rng.uniform(0, 2 * np.pi))
    angles[_ids("thigh"), 0] += recipe.balance * pitch
    if recipe.level_soles:
        legs = angles[_ids("thigh"), 0] + angles[_ids("shin"), 0]
        angles[_ids("foot"), 0] = pitch - legs + rng.normal(0, 3, 2)
    angles = np.clip(angles, _LOW, _HIGH)
    lean = rotation_matrices(np.radians([rng.uniform(*recipe.roll), 0, 0]))
    lean = lean @ rotation_matrices(np.radians([0, pitch, 0]))
    pose = Pose(angles, lean, np.zeros(3))
    if rng.random() < 0.5:
        pose = mirror_pose(pose)
    heading = rotation_matrices(np.array([0, 0, rng.uniform(-np.pi, np.pi)]))
    return dataclasses.replace(pose, root_rotation=heading @ pose.root_rotation)


def stand_on_floor(state: BodyState) -> BodyState:
    """Moves a person up or down until the lowest point of the body touches the plane z = 0."""
    bones, fractions = _contact_points()
    points = points_on_body(state, bones, fractions, np.zeros_like(fractions))
    return move_body(state, np.array([0, 0, -points[:, 2].min()]))


def _sample_angles(rng: np.random.Generator, recipe: Recipe) -> np.ndarray:
    angles = np.zeros([NUM_BONES, 3])
    _sample_hands(rng, angles)
    bones, low, high = _range_arrays(recipe)
    angles[bones] = rng.uniform(low, high)
    if rng.random() < recipe.twin:
        own = _range_bones(recipe.ranges, "r_", without={**recipe.first, **recipe.second})
        angles[own] = angles[np.array(MIRRORED_BONES)[own]]
    return angles + rng.normal(0, 2.0, angles.shape) * _IS_MOVABLE


@functools.cache
def _range_arrays(recipe: Recipe) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bones [n], lowest and highest angles [n, 3]; a side's own ranges replace the common ones."""
    limits: dict[int, object] = {}
    for ranges, sides in (
        (recipe.ranges, ("", "l_", "r_")),
        (recipe.first, ("l_",)),
        (recipe.second, ("r_",)),
    ):
        for stem, range_of_stem in ranges.items():
            names = [side + stem for side in sides if side + stem in BONE_IDS]
            limits.update({bone_id(name): range_of_stem for name in names})
    arrays = np.array(list(limits.values()), np.float64)
    return np.array(list(limits)), arrays[..., 0], arrays[..., 1]


def _range_bones(ranges: Ranges, side: str, without: Ranges) -> list[int]:
    stems = [stem for stem in ranges if stem not in without]
    return [bone_id(side + stem) for stem in stems if side + stem in BONE_IDS]


def _sample_hands(rng: np.random.Generator, angles: np.ndarray) -> None:
    """Open, relaxed or closed hands with a thumb that stands off."""
    for side in ("l_", "r_"):
        curl = float(rng.choice([0.0, 20.0, 30.0, 75.0], p=[0.25, 0.3, 0.25, 0.2]))
        angles[bone_id(side + "fingers"), 1] = -curl + rng.normal(0, 6)
        angles[bone_id(side + "fingertips"), 1] = -1.1 * curl + rng.normal(0, 6)
        angles[bone_id(side + "thumb"), :2] = rng.uniform((10, -35), (50, 0))


def _add_gait(angles: np.ndarray, amplitude_degrees: float, phase: float) -> None:
    """Adds a stride: legs in opposition, knees bending on the way forward, arms against legs."""
    for side, shift in (("l_", 0.0), ("r_", np.pi)):
        swing = np.sin(phase + shift)
        recovery = max(0.0, np.cos(phase + shift))
        angles[bone_id(side + "thigh"), 0] += amplitude_degrees * swing
        angles[bone_id(side + "shin"), 0] -= 1.6 * amplitude_degrees * recovery
        angles[bone_id(side + "upper_arm"), 0] -= 0.9 * amplitude_degrees * swing
    angles[bone_id("chest"), 2] += 0.3 * amplitude_degrees * np.sin(phase)


def _ids(stem: str) -> list[int]:
    return [bone_id("l_" + stem), bone_id("r_" + stem)]


@functools.lru_cache(maxsize=1)
def _contact_points() -> tuple[np.ndarray, np.ndarray]:
    rows = []
    for stem, *fraction in _CONTACTS:
        if stem in BONE_IDS:
            rows += [(bone_id(stem), fraction), (bone_id(stem), fraction * np.array([1, -1, 1]))]
        else:
            rows += [(index, fraction) for index in _ids(stem)]
    bones, fractions = zip(*rows)
    return np.array(bones), np.array(fractions, np.float64)
