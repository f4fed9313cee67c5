"""How outfits show: skin, face, hair, shirts, trousers, skirts and shoes on the mesh.

An outfit changes the mesh (`spoke_scale`: loose clothes, hair, skirts) and colours the pixels
(`paint`) from the position on the resting body, so that seams and patterns stay put.
"""

from __future__ import annotations

import numpy as np

from metrabs.synthetic.lofts import PARTS
from metrabs.synthetic.mesh import default_spoke_scale, topology
from metrabs.synthetic.outfits import Outfit

_PART_IDS = {part: index for index, part in enumerate(PARTS)}


def spoke_scale(outfit: Outfit, head_directions: np.ndarray) -> np.ndarray:
    """Returns the [V] factors of `mesh.RestMesh.scaled` for an outfit; 0 hides a vertex.

    Args:
        outfit: what the person wears.
        head_directions: [V, 3] position of head vertices in units of the head's extent.
    """
    shared = topology()
    parts, along = shared.vertex_parts, shared.along
    scale = default_spoke_scale()
    trunk, arms, legs = outfit.looseness
    if outfit.sleeve >= 0:
        scale[(parts == _PART_IDS["torso"]) & (along < 0.93)] *= trunk
        sleeve = (parts == _PART_IDS["arm"]) & (along < outfit.sleeve)
        # Cloth hangs from the shoulder, it widens only further down.
        scale[sleeve] *= 1 + (arms - 1) * np.clip(along[sleeve] * 4 - 0.5, 0, 1)
    scale[(parts == _PART_IDS["leg"]) & (along < outfit.trouser_leg)] *= legs
    if not outfit.is_barefoot:
        scale[parts == _PART_IDS["foot"]] *= 1.1
    head = parts == _PART_IDS["head"]
    scale[head] *= 1 + outfit.hair_volume * _hair_mask(head_directions[head], blur=0.06)
    if outfit.skirt_length > 0:
        in_skirt = (parts == _PART_IDS["skirt"]) & (along <= 0.3 + 0.7 * outfit.skirt_length)
        scale[in_skirt] = max(1.0, trunk)
    if outfit.long_hair > 0:
        scale[(parts == _PART_IDS["hair"]) & (along <= 0.2 + 0.8 * outfit.long_hair)] = 1
    return scale


def paint(
    outfit: Outfit, parts: np.ndarray, along: np.ndarray, positions: np.ndarray
) -> np.ndarray:
    """Colours fragments of one person.

    Args:
        outfit: what the person wears.
        parts: [N] index into PARTS.
        along: [N] position along the part, 0 to 1.
        positions: [N, 3] on the resting body, in mm of a person 1750 mm tall; on head, nose and
            ears in units of the head's extent. The y axis points outward on limbs.

    Returns:
        [N, 3] colours (albedo), 0 to 1, float32.
    """
    colors = np.broadcast_to(outfit.skin, positions.shape).astype(np.float32)
    painters = {
        "torso": _paint_torso,
        "arm": _paint_arm,
        "leg": _paint_leg,
        "head": _paint_head,
        "foot": _paint_foot,
        "hand": _paint_hand,
        "skirt": _paint_skirt,
        "hair": _paint_hair,
    }
    for part, painter in painters.items():
        chosen = np.flatnonzero(parts == _PART_IDS[part])
        if len(chosen):
            colors[chosen] = painter(outfit, along[chosen], positions[chosen], colors[chosen])
    if outfit.has_markers:
        _paint_markers(colors, parts, positions)
    return colors


def _paint_torso(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    trousers = along < outfit.waist
    colors[trousers] = outfit.trousers.paint(positions[trousers])
    if outfit.sleeve >= 0:
        # The neckline is lower at the front than at the back and rises to the shoulders.
        lateral = np.abs(positions[:, 1]) / 150
        front = positions[:, 0] > 0
        edge = np.where(front, outfit.neckline + 0.25 * lateral, 0.97)
        covered = ~trousers & (along < edge)
        colors[covered] = outfit.shirt.paint(positions[covered])
    return colors


def _paint_arm(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    covered = along < outfit.sleeve
    colors[covered] = outfit.shirt.paint(positions[covered])
    return colors


def _paint_leg(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    if outfit.sock > 0 and not outfit.is_barefoot:
        colors[along > 1 - outfit.sock] = np.clip(outfit.shoes + 0.3, 0, 1)
    covered = along < outfit.trouser_leg
    colors[covered] = outfit.trousers.paint(positions[covered])
    return colors


def _paint_foot(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    if not outfit.is_barefoot:
        colors[:] = outfit.shoes
        height = positions[:, 2] - positions[:, 2].min()
        colors[height < 14] = np.clip(1 - outfit.shoes, 0.1, 0.9)
    return colors


def _paint_hand(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    if outfit.has_gloves:
        colors[:] = outfit.shoes
    return colors


def _paint_skirt(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    return outfit.skirt.paint(positions)


def _paint_hair(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    colors[:] = outfit.hair
    return colors


def _paint_head(
    outfit: Outfit, along: np.ndarray, positions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    x, y, z = positions.T
    is_front = x > 0.2
    across = np.abs(y)
    if outfit.has_beard:
        colors[(x > 0.05) & (z < 0.22) & ~((across < 0.3) & (z > 0.16))] = 0.8 * outfit.hair
    eye = ((across - 0.39) / 0.19) ** 2 + ((z - 0.50) / 0.040) ** 2
    colors[is_front & (eye < 1.5)] = outfit.skin * 0.75
    colors[is_front & (eye < 1)] = (0.95, 0.95, 0.93)
    iris = ((across - 0.39) / 0.085) ** 2 + ((z - 0.50) / 0.040) ** 2
    colors[is_front & (iris < 1)] = outfit.iris
    brow = (np.abs(across - 0.40) < 0.21) & (np.abs(z - 0.60 + 0.06 * (across - 0.4)) < 0.020)
    colors[is_front & brow] = outfit.hair * 0.8
    mouth = (y / 0.30) ** 2 + ((z - 0.115) / 0.034) ** 2
    colors[is_front & (mouth < 1)] = outfit.lips
    if outfit.has_glasses:
        colors[is_front & (np.abs(eye - 3.0) < 0.9)] = 0.06
        colors[(np.abs(z - 0.53) < 0.018) & (across > 0.6) & (x > -0.1)] = 0.06
    if outfit.hair_volume > 0:
        colors[_hair_mask(positions, blur=0.0) > 0.5] = outfit.hair
    return colors


def _hair_mask(directions: np.ndarray, blur: float) -> np.ndarray:
    """1 where hair grows on the head; positions [N, 3] in units of the head's extent."""
    hairline = np.interp(directions[:, 0], _HAIRLINE_X, _HAIRLINE_Z)
    if blur == 0:
        return (directions[:, 2] > hairline).astype(np.float64)
    return np.clip((directions[:, 2] - hairline) / blur + 0.5, 0, 1)


# Lowest hair on the head (z) by how far forward (x): nape, behind the ear, temple, forehead.
_HAIRLINE_X = (-1.0, -0.3, -0.05, 0.25, 0.55, 1.0)
_HAIRLINE_Z = (0.10, 0.20, 0.45, 0.66, 0.76, 0.80)


def _paint_markers(colors: np.ndarray, parts: np.ndarray, positions: np.ndarray) -> None:
    """Small bright dots on a coarse grid of the body, like motion capture markers."""
    on_body = (parts == _PART_IDS["torso"]) | (parts == _PART_IDS["arm"])
    on_body |= parts == _PART_IDS["leg"]
    across = (positions[:, 1] + 0.7 * positions[:, 0]) % 95 - 47
    down = positions[:, 2] % 150 - 75
    colors[on_body & (across**2 + down**2 < 150)] = (0.9, 0.9, 0.92)
