"""The forms of the synthetic body: chains of rings around the bones, for all parts.

Numbers are fractions of the extent of the bone that a ring belongs to (`body.REFERENCE_EXTENTS`),
so they hold for every build. Sided parts are given for the left.
"""

from __future__ import annotations

from typing import NamedTuple

PARTS: tuple[str, ...] = (
    "torso",
    "neck",
    "head",
    "nose",
    "ear",
    "arm",
    "hand",
    "leg",
    "foot",
    "skirt",
    "hair",
)


class Ring(NamedTuple):
    """A ring of a loft: centre and radii in units of the bone's extent, and a second bone."""

    bone: str
    x: float
    y: float
    z: float
    radius_u: float
    radius_v: float
    second_bone: str = ""
    second_weight: float = 0.0


class Loft(NamedTuple):
    """A chain of rings. `plane` names the two axes of the rings; `power` 2 is an ellipse."""

    part: str
    spokes: int
    plane: str
    rings: tuple[Ring, ...]
    power: float = 2.0


_TORSO = (
    Ring("pelvis", -0.1, 0, -0.85, 0.40, 0.25),
    Ring("pelvis", -0.1, 0, -0.62, 0.78, 0.72),
    Ring("pelvis", -0.04, 0, -0.2, 0.98, 1.0),
    Ring("pelvis", 0, 0, 0.3, 0.97, 1.0),
    Ring("pelvis", 0, 0, 0.75, 0.92, 0.92, "lumbar", 0.35),
    Ring("lumbar", 0, 0, 0.35, 0.95, 0.94),
    Ring("lumbar", 0, 0, 0.85, 0.97, 0.95, "midback", 0.4),
    Ring("midback", 0, 0, 0.4, 1.0, 0.98),
    Ring("midback", 0, 0, 0.9, 1.03, 1.03, "chest", 0.45),
    Ring("chest", 0.04, 0, 0.2, 1.03, 1.04),
    Ring("chest", 0.02, 0, 0.45, 1.0, 1.10),
    Ring("chest", -0.03, 0, 0.65, 0.86, 1.13),
    Ring("chest", -0.08, 0, 0.80, 0.66, 1.10),
    Ring("chest", -0.10, 0, 0.90, 0.50, 0.88),
    Ring("chest", -0.10, 0, 1.0, 0.44, 0.45, "neck", 0.3),
)
_NECK = (
    Ring("neck", 0, 0, -0.25, 1.05, 1.1, "chest", 0.5),
    Ring("neck", 0, 0, 0.15, 0.98, 0.98),
    Ring("neck", 0.05, 0, 0.6, 0.95, 0.95),
    Ring("neck", 0.15, 0, 1.15, 0.98, 0.98, "head", 0.7),
)
_HEAD = (
    Ring("head", 0.48, 0, -0.09, 0.28, 0.30),
    Ring("head", 0.34, 0, -0.04, 0.52, 0.55),
    Ring("head", 0.18, 0, 0.08, 0.76, 0.76),
    Ring("head", 0.08, 0, 0.2, 0.90, 0.88),
    Ring("head", 0.04, 0, 0.33, 0.96, 0.95),
    Ring("head", 0.02, 0, 0.46, 0.98, 0.99),
    Ring("head", 0, 0, 0.6, 1.02, 1.02),
    Ring("head", -0.02, 0, 0.74, 0.98, 0.98),
    Ring("head", -0.03, 0, 0.86, 0.84, 0.84),
    Ring("head", -0.03, 0, 0.95, 0.58, 0.58),
    Ring("head", -0.03, 0, 0.995, 0.25, 0.25),
)
_NOSE = (
    Ring("head", 0.92, 0, 0.21, 0.04, 0.12),
    Ring("head", 0.98, 0, 0.255, 0.17, 0.20),
    Ring("head", 0.98, 0, 0.32, 0.14, 0.14),
    Ring("head", 0.96, 0, 0.47, 0.05, 0.09),
)
_EAR = (
    Ring("head", -0.02, 1.0, 0.30, 0.06, 0.06),
    Ring("head", -0.06, 1.04, 0.38, 0.16, 0.08),
    Ring("head", -0.10, 1.06, 0.48, 0.19, 0.08),
    Ring("head", -0.08, 1.02, 0.54, 0.10, 0.06),
)
_ARM = (
    Ring("upper_arm", 0, -0.45, -0.115, 0.35, 0.60, "clavicle", 0.5),
    Ring("upper_arm", 0, -0.30, -0.085, 0.72, 0.88, "clavicle", 0.4),
    Ring("upper_arm", 0, -0.10, -0.02, 0.98, 1.03, "clavicle", 0.2),
    Ring("upper_arm", 0, 0.0, 0.12, 1.05, 1.07),
    Ring("upper_arm", 0, 0, 0.32, 0.99, 0.98),
    Ring("upper_arm", 0, 0, 0.58, 0.95, 0.95),
    Ring("upper_arm", 0, 0, 0.86, 0.86, 0.86, "forearm", 0.15),
    Ring("upper_arm", 0, 0, 1.0, 0.84, 0.86, "forearm", 0.5),
    Ring("forearm", 0, 0, 0.12, 0.98, 1.0, "upper_arm", 0.12),
    Ring("forearm", 0, 0, 0.28, 1.0, 1.03),
    Ring("forearm", 0, 0, 0.55, 0.86, 0.86, "hand", 0.15),
    Ring("forearm", 0, 0, 0.82, 0.70, 0.64, "hand", 0.4),
    Ring("forearm", 0, 0, 0.98, 0.68, 0.56, "hand", 0.7),
)
_PALM = (
    Ring("hand", 0, 0, -0.06, 0.62, 1.15),
    Ring("hand", 0.02, 0, 0.2, 0.80, 1.15),
    Ring("hand", 0.03, 0, 0.6, 1.0, 1.05),
    Ring("hand", 0, 0, 0.95, 1.0, 0.85, "fingers", 0.4),
)
_THUMB = (
    Ring("thumb", -0.2, 0, -0.15, 1.2, 1.0),
    Ring("thumb", 0, 0, 0.3, 0.95, 0.95),
    Ring("thumb", 0, 0, 0.75, 0.8, 0.8),
    Ring("thumb", 0, 0, 1.0, 0.45, 0.45),
)
_LEG = (
    Ring("thigh", 0.0, -0.05, -0.16, 0.86, 0.72, "pelvis", 0.75),
    Ring("thigh", 0.0, -0.04, -0.04, 0.98, 0.92, "pelvis", 0.55),
    Ring("thigh", 0.0, -0.03, 0.10, 1.02, 1.0, "pelvis", 0.2),
    Ring("thigh", 0.02, -0.03, 0.26, 0.99, 1.0),
    Ring("thigh", 0.02, -0.02, 0.48, 0.90, 0.89),
    Ring("thigh", 0.01, 0, 0.70, 0.78, 0.77),
    Ring("thigh", 0, 0, 0.90, 0.68, 0.68, "shin", 0.15),
    Ring("thigh", 0.02, 0, 1.0, 0.68, 0.67, "shin", 0.5),
    Ring("shin", 0, 0, 0.09, 0.98, 1.0, "thigh", 0.12),
    Ring("shin", -0.10, 0, 0.26, 1.06, 1.05),
    Ring("shin", -0.12, 0, 0.42, 1.0, 0.98),
    Ring("shin", -0.06, 0, 0.64, 0.80, 0.78),
    Ring("shin", 0, 0, 0.84, 0.64, 0.60),
    Ring("shin", 0, 0, 1.0, 0.64, 0.58, "foot", 0.5),
)
# Rings of the foot stand upright: their axes are z (u) and y (v).
_FOOT = (
    Ring("foot", -0.45, 0, 0.62, 0.24, 0.40),
    Ring("foot", -0.38, 0, 0.52, 0.46, 0.64),
    Ring("foot", -0.10, 0, 0.42, 0.58, 0.74),
    Ring("foot", 0.20, 0, 0.46, 0.54, 0.76),
    Ring("foot", 0.48, 0, 0.58, 0.42, 0.84),
    Ring("foot", 0.76, 0, 0.70, 0.30, 0.96),
    Ring("foot", 1.0, 0, 0.76, 0.23, 1.02, "toes", 0.5),
    Ring("toes", 0.5, -0.05, 0.1, 0.90, 0.95),
    Ring("toes", 0.9, -0.12, 0.3, 0.65, 0.66),
)
_SKIRT = (
    Ring("lumbar", 0, 0, 0.1, 1.08, 1.08),
    Ring("pelvis", 0, 0, 0.4, 1.10, 1.12),
    Ring("pelvis", 0, 0, -0.3, 1.16, 1.18),
    Ring("pelvis", 0, 0, -1.2, 1.20, 1.24),
    Ring("pelvis", 0, 0, -2.1, 1.30, 1.34),
    Ring("pelvis", 0, 0, -3.0, 1.40, 1.44),
)
_HAIR = (
    Ring("head", -0.45, 0, 0.90, 0.30, 0.45),
    Ring("head", -0.62, 0, 0.65, 0.52, 0.90),
    Ring("head", -0.68, 0, 0.30, 0.46, 0.98),
    Ring("head", -0.76, 0, -0.1, 0.34, 0.92),
    Ring("head", -0.82, 0, -0.5, 0.28, 0.85),
    Ring("head", -0.85, 0, -0.8, 0.16, 0.55),
)


def _finger(x: float, reach: float) -> Loft:
    return Loft(
        "hand",
        5,
        "xy",
        (
            Ring("fingers", x, 0, -0.25, 0.21, 0.9),
            Ring("fingers", 0.98 * x, 0, 0.5, 0.20, 0.86),
            Ring("fingertips", 0.95 * x, 0, 0.0, 0.19, 0.84, "fingers", 0.5),
            Ring("fingertips", 0.9 * x, 0, 0.6 * reach, 0.17, 0.74),
            Ring("fingertips", 0.88 * x, 0, reach, 0.09, 0.40),
        ),
    )


CENTRAL_LOFTS: tuple[Loft, ...] = (
    Loft("torso", 20, "xy", _TORSO, 2.5),
    Loft("neck", 10, "xy", _NECK),
    Loft("head", 18, "xy", _HEAD, 2.2),
    Loft("nose", 6, "xy", _NOSE),
    Loft("skirt", 20, "xy", _SKIRT),
    Loft("hair", 12, "xy", _HAIR),
)
SIDED_LOFTS: tuple[Loft, ...] = (
    Loft("ear", 6, "xy", _EAR),
    Loft("arm", 12, "xy", _ARM),
    Loft("hand", 8, "xy", _PALM, 2.5),
    *(_finger(x, reach) for x, reach in ((0.74, 0.8), (0.25, 1.0), (-0.25, 0.95), (-0.74, 0.6))),
    Loft("hand", 6, "xy", _THUMB),
    Loft("leg", 14, "xy", _LEG),
    Loft("foot", 10, "zy", _FOOT, 2.6),
)
