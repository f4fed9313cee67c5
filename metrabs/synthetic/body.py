"""The skeleton of the synthetic person: bones, their measures, and how a pose moves them.

Every bone has its own frame: x forward, y to the person's left, z up when standing with hanging
arms; in that stance all frames are parallel to the body. Lengths are millimetres, the world's z
axis points up. Right-hand bones are the exact mirror images of left-hand ones.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from metrabs.errors import unknown_name_error

# name, parent, origin in the parent's frame, extent: half depth (x), half width (y) and length.
# For limbs the length is negative z (they hang), for the clavicle it is y, for the foot it is x.
# Measures of a person 1750 mm tall; they add up to that height.
_CENTRAL_BONES = (
    ("pelvis", "", (0, 0, 0), (112, 158, 110)),
    ("lumbar", "pelvis", (-8, 0, 100), (98, 136, 120)),
    ("midback", "lumbar", (0, 0, 120), (103, 140, 125)),
    ("chest", "midback", (0, 0, 125), (112, 152, 205)),
    ("neck", "chest", (-12, 0, 205), (54, 55, 85)),
    ("head", "neck", (18, 0, 85), (98, 76, 195)),
)
_SIDED_BONES = (
    ("clavicle", "chest", (10, 25, 150), (35, 148, 35)),
    ("upper_arm", "clavicle", (-8, 148, -5), (47, 44, -290)),
    ("forearm", "upper_arm", (0, 0, -290), (41, 37, -255)),
    ("hand", "forearm", (0, 0, -255), (42, 15, -90)),
    ("fingers", "hand", (0, 0, -90), (40, 10, -48)),
    ("fingertips", "fingers", (0, 0, -48), (37, 9, -45)),
    ("thumb", "hand", (28, -4, -22), (12, 12, -66)),
    ("thigh", "pelvis", (0, 88, 0), (84, 80, -425)),
    ("shin", "thigh", (0, 0, -425), (56, 54, -415)),
    ("foot", "shin", (0, 0, -415), (130, 45, -80)),
    ("toes", "foot", (130, 0, -62), (65, 45, -18)),
)


def _bone_table() -> list[tuple]:
    rows = [(name, parent, origin, extent, 1) for name, parent, origin, extent in _CENTRAL_BONES]
    central = {row[0] for row in rows}
    for prefix, side in (("l_", 1), ("r_", -1)):
        for name, parent, origin, extent in _SIDED_BONES:
            full_parent = parent if parent in central else prefix + parent
            rows.append((prefix + name, full_parent, origin, extent, side))
    return rows


_BONES = _bone_table()
BONE_NAMES: list[str] = [row[0] for row in _BONES]
NUM_BONES: int = len(BONE_NAMES)
# Names without the side: "upper_arm" for "l_upper_arm".
BONE_STEMS: list[str] = [name[2:] if name[:2] in ("l_", "r_") else name for name in BONE_NAMES]
BONE_IDS: dict[str, int] = {name: index for index, name in enumerate(BONE_NAMES)}
PARENTS: list[int] = [BONE_IDS[row[1]] if row[1] else -1 for row in _BONES]
REFERENCE_ORIGINS: np.ndarray = np.array([row[2] for row in _BONES], np.float64)
REFERENCE_EXTENTS: np.ndarray = np.array([row[3] for row in _BONES], np.float64)
# +1 for central and left bones, -1 for right ones: multiplies everything sideways.
SIDES: np.ndarray = np.array([row[4] for row in _BONES], np.float64)
# Index of each bone's twin on the other side; central bones are their own.
MIRRORED_BONES: list[int] = [
    BONE_IDS[{"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:]] for name in BONE_NAMES
]
_IS_CENTRAL = np.array([MIRRORED_BONES[index] == index for index in range(NUM_BONES)])
_MIRROR = np.array([1.0, -1.0, 1.0])
_SIDEWAYS = np.stack([np.ones(NUM_BONES), SIDES, np.ones(NUM_BONES)], axis=1)


@dataclasses.dataclass(frozen=True)
class BodyShape:
    """Measures of one person, mm; right-hand bones carry the numbers of their left twins.

    Attributes:
        origins: [28, 3] origin of each bone in its parent's frame.
        extents: [28, 3] half depth, half width and signed length of each bone.
        stature_mm: height when standing upright.
    """

    origins: np.ndarray
    extents: np.ndarray
    stature_mm: float


@dataclasses.dataclass(frozen=True)
class Pose:
    """Joint angles of one person.

    Attributes:
        angles: [28, 3] degrees per bone: forward swing of its far end, outward swing (leftward
            for central bones), and twist about its axis (positive turns the front outward).
        root_rotation: [3, 3] pelvis to world. The pelvis' own angles are ignored.
        root_position_mm: [3] pelvis origin in the world.
    """

    angles: np.ndarray
    root_rotation: np.ndarray
    root_position_mm: np.ndarray


@dataclasses.dataclass(frozen=True)
class BodyState:
    """A posed person: the frame of every bone in the world.

    Attributes:
        rotations: [28, 3, 3] bone to world.
        positions_mm: [28, 3] origin of each bone in the world.
        shape: the measures.
    """

    rotations: np.ndarray
    positions_mm: np.ndarray
    shape: BodyShape


def bone_id(name: str) -> int:
    """Returns the index of a bone; raises UserError listing the bones for an unknown name."""
    if name not in BONE_IDS:
        raise unknown_name_error("bone", name, BONE_NAMES)
    return BONE_IDS[name]


def rest_pose() -> Pose:
    """Returns the upright stance with hanging arms, facing +x, pelvis at the world's origin."""
    return Pose(np.zeros([NUM_BONES, 3]), np.eye(3), np.zeros(3))


def mirror_pose(pose: Pose) -> Pose:
    """Returns the pose seen in a mirror that stands in the world's plane y = 0."""
    angles = pose.angles[MIRRORED_BONES].copy()
    angles[_IS_CENTRAL, 1:] *= -1
    rotation = pose.root_rotation * np.outer(_MIRROR, _MIRROR)
    return Pose(angles, rotation, pose.root_position_mm * _MIRROR)


def pose_body(shape: BodyShape, pose: Pose) -> BodyState:
    """Walks the kinematic tree.

    Args:
        shape: measures of the person.
        pose: joint angles and placement.

    Returns:
        The frames of all bones in the world, mm.
    """
    local_rotations = _swing_twist_matrices(pose.angles)
    offsets = shape.origins * _SIDEWAYS
    rotations = np.empty([NUM_BONES, 3, 3])
    positions = np.empty([NUM_BONES, 3])
    rotations[0], positions[0] = pose.root_rotation, pose.root_position_mm
    for bone in range(1, NUM_BONES):
        parent = PARENTS[bone]
        rotations[bone] = rotations[parent] @ local_rotations[bone]
        positions[bone] = positions[parent] + rotations[parent] @ offsets[bone]
    return BodyState(rotations, positions, shape)


def rest_positions(shape: BodyShape) -> np.ndarray:
    """Returns the [28, 3] bone origins of the rest pose in mm; all rotations are identity."""
    positions = shape.origins * _SIDEWAYS
    for bone in range(1, NUM_BONES):
        positions[bone] += positions[PARENTS[bone]]
    return positions


def points_on_body(
    state: BodyState, bones: np.ndarray, fractions: np.ndarray, offsets_mm: np.ndarray
) -> np.ndarray:
    """Places points that are rigidly attached to bones.

    Args:
        state: the posed person.
        bones: [n] bone index of each point.
        fractions: [n, 3] position in the bone frame in units of the bone's extent. The y axis
            points outward: to the left for left and central bones, to the right for right ones.
        offsets_mm: [n, 3] added to the position, same axes, for a person of 1750 mm.

    Returns:
        [n, 3] world coordinates in mm.
    """
    scale = state.shape.stature_mm / 1750.0
    local = fractions * state.shape.extents[bones] + offsets_mm * scale
    local[:, 1] *= SIDES[bones]
    return state.positions_mm[bones] + np.einsum("nij,nj->ni", state.rotations[bones], local)


def move_body(state: BodyState, translation_mm: np.ndarray) -> BodyState:
    """Returns the same person moved by a world vector in mm."""
    return dataclasses.replace(state, positions_mm=state.positions_mm + translation_mm)


def _swing_twist_matrices(angles_degrees: np.ndarray) -> np.ndarray:
    forward, outward, twist = np.radians(angles_degrees).T
    # The far end of a limb is down, that of a central bone is up, hence the sign.
    far_end = np.where(_IS_CENTRAL, -1.0, 1.0)
    swing = np.stack([outward * SIDES * far_end, -forward * far_end, np.zeros(NUM_BONES)], axis=1)
    turn = np.stack([np.zeros(NUM_BONES), np.zeros(NUM_BONES), twist * SIDES], axis=1)
    return rotation_matrices(swing) @ rotation_matrices(turn)


def rotation_matrices(vectors: np.ndarray) -> np.ndarray:
    """Turns rotation vectors [..., 3] (axis times radians) into matrices [..., 3, 3]."""
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., np.newaxis, np.newaxis]
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    cross = cross.reshape(vectors.shape + (3,))
    # np.sinc is sin(pi x)/(pi x): exact at zero.
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.eye(3) + first * cross + second * (cross @ cross)
