"""Recipes of poses: ranges of joint angles for each class, and the limits of the joints.

Angles are degrees, named as in `body.Pose`: forward, outward, twist of the far end of each bone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Optional

Range = tuple[float, float]
Ranges = Mapping[str, tuple[Range, Range, Range]]

# Largest angles in degrees: forward, outward, twist. Signs as in `body.Pose`.
# fmt: off
JOINT_LIMITS: Ranges = {
    "pelvis": ((0, 0), (0, 0), (0, 0)),
    "lumbar": ((-25, 40), (-20, 20), (-15, 15)),
    "midback": ((-20, 30), (-20, 20), (-20, 20)),
    "chest": ((-20, 25), (-15, 15), (-20, 20)),
    "neck": ((-35, 40), (-25, 25), (-45, 45)),
    "head": ((-25, 30), (-15, 15), (-35, 35)),
    "clavicle": ((0, 0), (-8, 28), (-20, 20)),
    "upper_arm": ((-60, 180), (-40, 175), (-85, 85)),
    "forearm": ((0, 148), (0, 0), (0, 0)),
    "hand": ((-25, 25), (-75, 75), (-85, 85)),
    "fingers": ((-5, 5), (-90, 15), (0, 0)),
    "fingertips": ((0, 0), (-95, 5), (0, 0)),
    "thumb": ((-10, 60), (-40, 20), (0, 0)),
    "thigh": ((-85, 130), (-25, 88), (-35, 50)),
    "shin": ((-150, 3), (0, 0), (-5, 5)),
    "foot": ((-50, 32), (-20, 20), (-15, 25)),
    "toes": ((-20, 55), (0, 0), (0, 0)),
}

_TRUNK_UPRIGHT: Ranges = {
    "lumbar": ((-5, 12), (-6, 6), (-8, 8)),
    "midback": ((-5, 12), (-6, 6), (-10, 10)),
    "chest": ((-5, 10), (-5, 5), (-8, 8)),
    "neck": ((-15, 25), (-10, 10), (-30, 30)),
    "head": ((-12, 15), (-8, 8), (-20, 20)),
}
_ARMS_EASY: Ranges = {
    "clavicle": ((0, 0), (-3, 8), (-8, 8)),
    "upper_arm": ((-25, 50), (3, 35), (-55, 15)),
    "forearm": ((5, 110), (0, 0), (0, 0)),
    "hand": ((-15, 15), (-35, 30), (-80, 30)),
}
_ARMS_OVERHEAD: Ranges = {
    "clavicle": ((0, 0), (5, 25), (-5, 5)),
    "upper_arm": ((155, 180), (0, 25), (-30, 30)),
    "forearm": ((0, 15), (0, 0), (0, 0)),
    "hand": ((-10, 10), (45, 75), (-80, -30)),
}
# fmt: on


@dataclasses.dataclass(frozen=True, eq=False)  # compared, and cached, by identity
class Recipe:
    """Ranges of one kind of pose.

    `first` and `second` add ranges for one of the two sides (which one is left to chance);
    `pitch`, `roll` lean the whole body forward and sideways; `twin` is the probability that both
    sides get the same angles; `level_soles` turns the feet so that the soles are horizontal;
    `balance` is the share of the forward lean that the hips make up for, so that the legs stay
    under the body; `gait_degrees` is the amplitude of a stride.
    """

    ranges: Ranges
    first: Ranges = dataclasses.field(default_factory=dict)
    second: Ranges = dataclasses.field(default_factory=dict)
    pitch: Range = (-5, 8)
    roll: Range = (-4, 4)
    twin: float = 0.0
    level_soles: bool = True
    balance: float = 0.0
    gait_degrees: Optional[Range] = None


def _recipe(*parts: Ranges, **options: object) -> Recipe:
    ranges: dict = {}
    for part in parts:
        ranges.update(part)
    return Recipe(ranges, **options)  # type: ignore[arg-type]


# fmt: off
RECIPES: dict[str, tuple[Recipe, ...]] = {
    "standing": (
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((-6, 14), (0, 14), (-5, 18)), "shin": ((-18, 0), (0, 0), (0, 0))},
            balance=1.0),
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((-4, 8), (2, 10), (0, 15)), "shin": ((-8, 0), (0, 0), (0, 0)),
            "upper_arm": ((-35, 0), (25, 50), (-75, -40)), "forearm": ((80, 115), (0, 0), (0, 0)),
        }, twin=0.8, balance=1.0),
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((-4, 8), (2, 10), (0, 15)), "shin": ((-8, 0), (0, 0), (0, 0)),
            "upper_arm": ((-5, 5), (70, 95), (-20, 20)), "forearm": ((0, 15), (0, 0), (0, 0)),
        }, twin=0.8, balance=1.0),
    ),
    "walking": (
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((-3, 8), (3, 18), (-25, 5)), "forearm": ((10, 45), (0, 0), (0, 0)),
            "hand": ((-10, 10), (-20, 10), (-50, 10)), "thigh": ((0, 6), (-2, 6), (0, 10)),
            "shin": ((-12, -4), (0, 0), (0, 0))}, pitch=(0, 8), balance=0.8,
            gait_degrees=(15, 32)),
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((-10, 10), (5, 25), (-35, 0)), "forearm": ((70, 110), (0, 0), (0, 0)),
            "hand": ((-10, 10), (-20, 10), (-50, 10)), "thigh": ((5, 15), (-2, 6), (0, 8)),
            "shin": ((-35, -15), (0, 0), (0, 0))}, pitch=(8, 22), gait_degrees=(30, 50),
            level_soles=False, balance=0.4),
    ),
    "sitting": (
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "lumbar": ((0, 20), (-5, 5), (-8, 8)), "thigh": ((75, 100), (0, 25), (-5, 15)),
            "shin": ((-110, -60), (0, 0), (0, 0)), "upper_arm": ((10, 60), (5, 25), (-50, 0)),
            "forearm": ((20, 110), (0, 0), (0, 0))}, pitch=(-18, 10)),
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "lumbar": ((10, 35), (-5, 5), (-8, 8)), "midback": ((5, 25), (-5, 5), (-8, 8)),
            "thigh": ((70, 115), (5, 45), (0, 35)), "shin": ((-130, -5), (0, 0), (0, 0)),
            "upper_arm": ((-45, 70), (5, 30), (-40, 30))}, pitch=(-30, 5), twin=0.4),
    ),
    "reaching": (
        _recipe(_TRUNK_UPRIGHT, {
            "thigh": ((-10, 25), (0, 18), (-5, 18)), "shin": ((-30, 0), (0, 0), (0, 0)),
            "clavicle": ((0, 0), (0, 25), (-12, 12)),
            "upper_arm": ((40, 175), (0, 60), (-60, 30)), "forearm": ((0, 50), (0, 0), (0, 0)),
            "hand": ((-15, 15), (-30, 40), (-80, 40)),
            "lumbar": ((-10, 30), (-12, 12), (-12, 12))},
            second=_ARMS_EASY, pitch=(-5, 25), balance=1.0),
        _recipe(_TRUNK_UPRIGHT, {
            "thigh": ((-10, 15), (0, 18), (-5, 18)), "shin": ((-20, 0), (0, 0), (0, 0)),
            "clavicle": ((0, 0), (0, 25), (-12, 12)),
            "upper_arm": ((0, 60), (50, 165), (-60, 30)), "forearm": ((0, 90), (0, 0), (0, 0)),
            "hand": ((-15, 15), (-30, 40), (-80, 40))}, balance=1.0),
    ),
    "crouching": (
        _recipe(_TRUNK_UPRIGHT, {
            "lumbar": ((10, 35), (-6, 6), (-8, 8)), "midback": ((5, 25), (-6, 6), (-8, 8)),
            "thigh": ((85, 125), (5, 35), (0, 25)), "shin": ((-145, -100), (0, 0), (0, 0)),
            "upper_arm": ((20, 95), (0, 30), (-40, 10)), "forearm": ((5, 90), (0, 0), (0, 0)),
            "hand": ((-15, 15), (-30, 30), (-60, 20))}, pitch=(10, 40), twin=0.5),
        # Kneeling on one knee or both.
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((-10, 15), (0, 15), (-5, 10)), "shin": ((-100, -80), (0, 0), (0, 0)),
            "foot": ((-48, -25), (0, 0), (0, 0))},
            first={"thigh": ((60, 95), (0, 25), (0, 10)), "shin": ((-100, -70), (0, 0), (0, 0)),
                   "foot": ((-5, 5), (0, 0), (0, 0))}, pitch=(-8, 15), level_soles=False),
        # Bending forward with rather straight legs.
        _recipe(_TRUNK_UPRIGHT, {
            "lumbar": ((15, 40), (-6, 6), (-10, 10)), "midback": ((8, 28), (-6, 6), (-12, 12)),
            "neck": ((-30, 20), (-10, 10), (-20, 20)),
            "thigh": ((-5, 12), (0, 18), (0, 12)), "shin": ((-30, 0), (0, 0), (0, 0)),
            "upper_arm": ((40, 110), (0, 25), (-30, 10)), "forearm": ((0, 60), (0, 0), (0, 0)),
        }, pitch=(30, 60), twin=0.5, balance=0.95),
    ),
    "lying": (
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((-5, 50), (0, 30), (-10, 40)), "shin": ((-100, 0), (0, 0), (0, 0)),
            "foot": ((-40, -5), (0, 0), (0, 15)),
            "upper_arm": ((-20, 60), (5, 120), (-50, 40))}, pitch=(-95, -85), roll=(-8, 8),
            level_soles=False),
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((-8, 5), (0, 30), (-20, 20)), "shin": ((-60, 0), (0, 0), (0, 0)),
            "foot": ((-48, -30), (0, 0), (0, 15)), "neck": ((-35, -10), (-10, 10), (-40, 40)),
            "upper_arm": ((-5, 40), (20, 150), (-50, 40))}, pitch=(82, 92), roll=(-8, 8),
            level_soles=False),
        _recipe(_TRUNK_UPRIGHT, _ARMS_EASY, {
            "thigh": ((0, 90), (-5, 15), (-10, 10)), "shin": ((-110, -5), (0, 0), (0, 0)),
            "foot": ((-35, -5), (0, 0), (0, 10))}, pitch=(-5, 5), roll=(82, 98),
            level_soles=False),
    ),
    "gymnastics": (
        # Handstand.
        _recipe(_TRUNK_UPRIGHT, _ARMS_OVERHEAD, {
            "thigh": ((-15, 15), (0, 15), (-5, 15)), "shin": ((-15, 0), (0, 0), (0, 0)),
            "foot": ((-48, -20), (0, 0), (0, 0)), "neck": ((-35, 0), (-5, 5), (-5, 5))},
            first={"thigh": ((-40, 60), (0, 40), (-5, 15)), "shin": ((-60, 0), (0, 0), (0, 0))},
            pitch=(165, 195), roll=(-6, 6), twin=0.7, level_soles=False),
        # Cartwheel.
        _recipe(_TRUNK_UPRIGHT, _ARMS_OVERHEAD, {
            "upper_arm": ((5, 20), (140, 170), (-30, 30)),
            "thigh": ((-15, 15), (35, 75), (0, 30)), "shin": ((-12, 0), (0, 0), (0, 0)),
            "foot": ((-48, -20), (0, 0), (0, 0))}, pitch=(-10, 10), roll=(80, 200),
            level_soles=False),
        # Bridge.
        _recipe(_ARMS_OVERHEAD, {
            "lumbar": ((-25, -15), (-3, 3), (-3, 3)), "midback": ((-20, -10), (-3, 3), (-3, 3)),
            "chest": ((-20, -10), (-3, 3), (-3, 3)), "neck": ((-35, -15), (-4, 4), (-5, 5)),
            "thigh": ((-35, -5), (5, 18), (0, 12)), "shin": ((-95, -65), (0, 0), (0, 0))},
            pitch=(-110, -85), roll=(-3, 3), twin=0.9),
        # Front splits and side splits.
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((0, 60), (20, 150), (-40, 40)), "forearm": ((0, 40), (0, 0), (0, 0)),
            "shin": ((-5, 2), (0, 0), (0, 0)), "foot": ((-48, -20), (0, 0), (0, 0))},
            first={"thigh": ((75, 88), (0, 8), (-5, 5))},
            second={"thigh": ((-85, -70), (0, 8), (0, 20))}, pitch=(-5, 15), level_soles=False),
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((10, 80), (10, 100), (-40, 40)), "forearm": ((0, 40), (0, 0), (0, 0)),
            "thigh": ((5, 35), (70, 88), (0, 40)), "shin": ((-5, 2), (0, 0), (0, 0)),
            "foot": ((-40, 0), (0, 0), (0, 0))}, pitch=(-5, 30), level_soles=False),
        # Arm-supported plank and push-up.
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((70, 95), (0, 25), (-30, 10)), "forearm": ((0, 60), (0, 0), (0, 0)),
            "hand": ((-5, 5), (55, 75), (-80, -40)), "thigh": ((-8, 25), (0, 12), (0, 8)),
            "shin": ((-10, 0), (0, 0), (0, 0)), "foot": ((10, 30), (0, 0), (0, 0)),
            "toes": ((30, 50), (0, 0), (0, 0)), "neck": ((-30, 10), (-5, 5), (-15, 15))},
            pitch=(65, 85), twin=0.9, level_soles=False),
        # Star jump and standing balance (one leg raised).
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((0, 20), (80, 160), (-30, 30)), "forearm": ((0, 30), (0, 0), (0, 0)),
            "thigh": ((-10, 20), (20, 50), (0, 20)), "shin": ((-30, 0), (0, 0), (0, 0)),
            "foot": ((-45, -10), (0, 0), (0, 0))}, twin=0.7, level_soles=False),
        _recipe(_TRUNK_UPRIGHT, {
            "upper_arm": ((0, 70), (40, 150), (-40, 40)), "forearm": ((0, 40), (0, 0), (0, 0)),
            "shin": ((-8, 0), (0, 0), (0, 0)), "foot": ((-40, 0), (0, 0), (0, 0))},
            first={"thigh": ((-80, 100), (0, 70), (0, 30)), "shin": ((-90, 0), (0, 0), (0, 0))},
            second={"thigh": ((-5, 12), (0, 6), (0, 10))}, pitch=(-10, 25)),
    ),
    "wild": (
        _recipe({
            "lumbar": ((-15, 35), (-15, 15), (-12, 12)),
            "midback": ((-15, 25), (-15, 15), (-15, 15)),
            "chest": ((-12, 20), (-12, 12), (-15, 15)), "neck": ((-30, 35), (-20, 20), (-40, 40)),
            "clavicle": ((0, 0), (-5, 25), (-18, 18)),
            "upper_arm": ((-50, 150), (0, 120), (-70, 50)), "forearm": ((0, 140), (0, 0), (0, 0)),
            "hand": ((-20, 20), (-60, 60), (-80, 60)), "thigh": ((-40, 100), (-8, 55), (-25, 35)),
            "shin": ((-120, 0), (0, 0), (0, 0)), "foot": ((-40, 25), (-10, 10), (-8, 15)),
        }, pitch=(-30, 50), roll=(-25, 25), level_soles=False),
    ),
}
# fmt: on
