"""The 555 annotated points of the merged datasets as points on the synthetic body.

A joint name is a side (`l`, `r` or none), a stem and a format suffix: `lelb_h36m`. The stem says
where the point lies anatomically; the format moves it a little, since real datasets disagree
about what exactly an elbow or a hip is. Both are rigid in the bone's frame and mirror
symmetric.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.skeletons import tables
from metrabs.synthetic.body import BONE_IDS, BodyState, points_on_body
from metrabs.synthetic.joint_tables import CENTRAL_PLACES, HABITS_MM, SIDED_PLACES, SPECIAL_PLACES

_SPREAD_MM = 7.0
_FORMAT_SPREAD_MM = 5.0
_LARGEST_OFFSET_MM = 45.0


class JointPlaces(NamedTuple):
    """Where joints sit on the body, in the terms of `body.points_on_body`.

    Attributes:
        bones: [J] bone index.
        fractions: [J, 3] anatomical place in units of the bone's extent.
        offsets_mm: [J, 3] what the format adds, mm.
    """

    bones: np.ndarray
    fractions: np.ndarray
    offsets_mm: np.ndarray


def joints_of(state: BodyState, joint_names: Optional[Sequence[str]] = None) -> np.ndarray:
    """Returns the annotated points of a posed person.

    Args:
        state: the posed person.
        joint_names: names such as 'lelb_h36m'; SMPL joints have no suffix. Default: the 555
            joints of the merged list 'huge8', in its order.

    Returns:
        [J, 3] world coordinates in mm.

    Raises:
        UserError: for a name that has no place on the body.
    """
    return points_on_body(state, *joint_places(_name_tuple(joint_names)))


def anatomical_points_of(
    state: BodyState, joint_names: Optional[Sequence[str]] = None
) -> np.ndarray:
    """Like `joints_of`, without the offsets of the formats: [J, 3] world mm."""
    bones, fractions, offsets = joint_places(_name_tuple(joint_names))
    return points_on_body(state, bones, fractions, np.zeros_like(offsets))


@functools.lru_cache(maxsize=64)
def joint_places(joint_names: tuple[str, ...]) -> JointPlaces:
    """Looks up the place and offset of joints by name; raises UserError for an unknown one."""
    rows = [_place_of(name) for name in joint_names]
    bones, fractions, offsets = zip(*rows)
    return JointPlaces(np.array(bones), np.array(fractions, np.float64), np.array(offsets))


def _name_tuple(joint_names: Optional[Sequence[str]]) -> tuple[str, ...]:
    return _huge8_names() if joint_names is None else tuple(joint_names)


@functools.lru_cache(maxsize=1)
def _huge8_names() -> tuple[str, ...]:
    return tuple(tables.merged_joint_info("huge8").names)


def _place_of(name: str) -> tuple[int, np.ndarray, np.ndarray]:
    base = tables.base_name(name)
    joint_format = tables.format_suffix(name)
    if base in CENTRAL_PLACES:
        side, stem, places = "", base, CENTRAL_PLACES
    elif base[:1] in ("l", "r") and base[1:] in SIDED_PLACES:
        side, stem, places = base[0], base[1:], SIDED_PLACES
    else:
        raise UserError(
            f"The joint '{name}' has no place on the synthetic body; known are stems such as "
            "'lelb' or 'pelv' with a format suffix. Add it to metrabs/synthetic/joint_tables.py."
        )
    left_name = "l" + stem if side else stem
    special = SPECIAL_PLACES.get(f"{left_name}_{joint_format}")
    bone, *fraction = special or places[stem]
    offset = _format_offset_mm(stem, joint_format, is_central=not side)
    return _sided(bone, np.array(fraction, np.float64), offset, side)


def _sided(
    bone: str, fraction: np.ndarray, offset: np.ndarray, side: str
) -> tuple[int, np.ndarray, np.ndarray]:
    if bone in BONE_IDS:  # central: its y axis points left
        flip = np.array([1.0, -1.0 if side == "r" else 1.0, 1.0])
        return BONE_IDS[bone], fraction * flip, offset * flip
    return BONE_IDS[f"{side}_{bone}"], fraction, offset


def _format_offset_mm(stem: str, joint_format: str, is_central: bool) -> np.ndarray:
    habit = np.array(HABITS_MM.get(joint_format, {}).get(stem, (0.0, 0.0, 0.0)))
    own = _hashed_normal(f"{joint_format}/{stem}/{is_central}") * _SPREAD_MM
    systematic = _hashed_normal(joint_format) * _FORMAT_SPREAD_MM
    offset = habit + own + systematic
    if is_central:
        offset[1] = 0
    return offset * min(1.0, _LARGEST_OFFSET_MM / np.linalg.norm(offset))


def _hashed_normal(key: str) -> np.ndarray:
    """Three standard normal numbers that depend on the text alone."""
    digest = hashlib.sha256(key.encode()).digest()
    return np.random.default_rng(list(digest)).normal(size=3)
