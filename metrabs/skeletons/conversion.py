"""Converting coordinates from one joint list to another, and merging joint lists."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from metrabs.skeletons.joint_info import JointInfo

# Two names that datasets use for the same joint, the middle of the torso.
_SYNONYMS = ("tors", "spin")


class JointConverter:
    """Re-indexes coordinates from a source skeleton to a destination skeleton by name.

    For each destination name the source joint is the first that exists of `<name>_<suffix>` and
    `<name>`; a destination called exactly 'tors' or 'spin' takes either name (original rule).

    Args:
        source: skeleton of the coordinates to convert.
        destination: skeleton of the result.
        suffix: format suffix that the source names may carry, without the underscore.

    Attributes:
        source_indices: [J_dst] int array, the source joint of each destination joint, -1 if none.
    """

    def __init__(self, source: JointInfo, destination: JointInfo, suffix: str = "") -> None:
        self.num_source = source.num_joints
        self.num_destination = destination.num_joints
        self.source_indices = np.array(
            [_find_source(name, source, suffix) for name in destination.names], np.int64
        )
        self._destination_of = np.full(self.num_source, -1, np.int64)
        found = np.flatnonzero(self.source_indices >= 0)
        # Assigned backwards, so that the first of several destinations wins.
        self._destination_of[self.source_indices[found[::-1]]] = found[::-1]

    def mapping_matrix(self) -> np.ndarray:
        """Returns the [J_dst, J_src] selection matrix; the rows of missing joints are NaN."""
        matrix = np.zeros((self.num_destination, self.num_source))
        found = self.source_indices >= 0
        matrix[found, self.source_indices[found]] = 1
        matrix[~found] = np.nan
        return matrix

    def dense(self, coords: np.ndarray) -> np.ndarray:
        """Converts [..., J_src, D] coordinates to [..., J_dst, D]; missing joints become NaN."""
        coords = np.asarray(coords)
        if not np.issubdtype(coords.dtype, np.floating):
            coords = coords.astype(np.float32)
        converted = coords[..., self.source_indices, :]
        converted[..., self.source_indices < 0, :] = np.nan
        return converted

    def sparse(
        self, valid_indices: np.ndarray, valid_coords: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Converts coordinates that are stored for the valid joints only.

        A source joint that several destinations ask for goes to the first of them.

        Args:
            valid_indices: [n] source joint index of each row of `valid_coords`.
            valid_coords: [n, D] coordinates.

        Returns:
            The destination indices ([m] uint16) and the coordinates [m, D] of the source joints
            that the destination has, in the order given.
        """
        destination_indices = self._destination_of[np.asarray(valid_indices, np.int64)]
        is_used = destination_indices >= 0
        return destination_indices[is_used].astype(np.uint16), valid_coords[is_used]


def merge_joint_infos(members: Iterable[tuple[JointInfo, str]]) -> JointInfo:
    """Merges the joint lists of several datasets into one.

    Names are suffixed, concatenated in member order, and kept at their first occurrence. Edges are
    the union by name: sorted index pairs, each once, in ascending order.

    Args:
        members: pairs of a skeleton and the suffix for its names ('' keeps the names).
    """
    suffixed = [joint_info.with_suffix(suffix) for joint_info, suffix in members]
    names = list(dict.fromkeys(name for member in suffixed for name in member.names))
    ids = {name: i for i, name in enumerate(names)}
    edges = set()
    for member in suffixed:
        for first, second in member.edges:
            a, b = ids[member.names[first]], ids[member.names[second]]
            edges.add((min(a, b), max(a, b)))
    return JointInfo(names, sorted(edges))


def _find_source(destination_name: str, source: JointInfo, suffix: str) -> int:
    bases = _SYNONYMS if destination_name in _SYNONYMS else (destination_name,)
    suffixed = [f"{base}_{suffix}" for base in bases] if suffix else []
    return next((source.ids[name] for name in (*suffixed, *bases) if name in source.ids), -1)
