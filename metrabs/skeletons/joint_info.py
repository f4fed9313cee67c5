"""JointInfo: the ordered joint names of one skeleton, its edges and its left-right mirroring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

import numpy as np

from metrabs.errors import UserError

Edge = tuple[int, int]
_OTHER_SIDE = {"l": "r", "r": "l"}


class JointInfo:
    """Names, edges and mirror mapping of a list of joints; do not change it after construction.

    A name that starts with 'l' or 'r' belongs to the left or right side of the person and must
    have its partner in the list; every other name is its own mirror image.

    Args:
        names: joint names in order, as a list or separated by commas.
        edges: Pairs of joint indices, taken as they are; or a string of chains, such
            as 'neck-rsho-relb,neck-head'. Each link of a chain gives a sorted pair, followed by
            the pair of its mirrored ends if that differs. Links to unknown names are skipped.

    Attributes:
        names: list of J joint names.
        ids: joint name -> index.
        edges: list of index pairs.
        mirror_mapping: list of J indices; entry i is the joint on the other side of joint i.

    Raises:
        UserError: if a name occurs twice, a mirror partner is missing or an edge is out of range.
    """

    def __init__(
        self, names: Union[str, Sequence[str]], edges: Union[str, Sequence[Edge]] = ()
    ) -> None:
        names = names.split(",") if isinstance(names, str) else names
        self.names: list[str] = [str(name) for name in names]
        self.ids: dict[str, int] = {name: i for i, name in enumerate(self.names)}
        if len(self.ids) != len(self.names):
            repeated = sorted({name for name in self.names if self.names.count(name) > 1})
            raise UserError(
                f"Joint names must be unique, but these repeat: {', '.join(repeated)}."
            )
        self.mirror_mapping: list[int] = [self._find_mirror(name) for name in self.names]
        self.edges: list[Edge] = (
            self._parse_chains(edges) if isinstance(edges, str) else _as_pairs(edges)
        )
        if any(not 0 <= joint < self.num_joints for edge in self.edges for joint in edge):
            raise UserError(f"Edge out of range: a skeleton has joints 0..{self.num_joints - 1}.")

    @property
    def num_joints(self) -> int:
        """J, the number of joints."""
        return len(self.names)

    def select_joints(self, indices: Sequence[int]) -> JointInfo:
        """Returns the skeleton of the given joints in that order, with the edges among them.

        Raises:
            UserError: if a selected joint's mirror partner is not selected.
        """
        indices = [int(i) for i in indices]
        position = {old: new for new, old in enumerate(indices)}
        missing = [i for i in indices if self.mirror_mapping[i] not in position]
        if missing:
            raise UserError(
                f"Joint '{self.names[missing[0]]}' is selected without its mirror partner "
                f"'{self.names[self.mirror_mapping[missing[0]]]}'; select both."
            )
        selected = JointInfo.__new__(JointInfo)
        selected.names = [self.names[i] for i in indices]
        selected.ids = {name: i for i, name in enumerate(selected.names)}
        selected.mirror_mapping = [position[self.mirror_mapping[i]] for i in indices]
        selected.edges = [
            (position[a], position[b]) for a, b in self.edges if a in position and b in position
        ]
        return selected

    def renamed(self, names: Union[str, Sequence[str]]) -> JointInfo:
        """Returns the same skeleton under other names; the mirror mapping stays as it is."""
        new_names = names.split(",") if isinstance(names, str) else [str(name) for name in names]
        if len(new_names) != self.num_joints or len(set(new_names)) != self.num_joints:
            raise UserError(
                f"Renaming {self.num_joints} joints needs as many different names, "
                f"got {len(set(new_names))}."
            )
        renamed = self.select_joints(range(self.num_joints))
        renamed.names = new_names
        renamed.ids = {name: i for i, name in enumerate(new_names)}
        return renamed

    def with_suffix(self, suffix: str) -> JointInfo:
        """Returns the skeleton with `_<suffix>` after every name; unchanged if it is empty."""
        return self.renamed([f"{name}_{suffix}" for name in self.names]) if suffix else self

    def bone_matrix(self) -> np.ndarray:
        """Returns the [E, J] float32 matrix that maps joint coordinates to bone vectors.

        Row e has +1 at the first joint of edge e and -1 at the second.
        """
        matrix = np.zeros((len(self.edges), self.num_joints), np.float32)
        for row, (first, second) in enumerate(self.edges):
            matrix[row, first], matrix[row, second] = 1, -1
        return matrix

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JointInfo):
            return NotImplemented
        return self.names == other.names and self.edges == other.edges

    def __hash__(self) -> int:
        return hash((tuple(self.names), tuple(self.edges)))

    def __repr__(self) -> str:
        return f"JointInfo({self.num_joints} joints, {len(self.edges)} edges)"

    def _find_mirror(self, name: str) -> int:
        partner = _OTHER_SIDE.get(name[:1], name[:1]) + name[1:]
        if partner not in self.ids:
            raise UserError(
                f"Joint '{name}' has no partner '{partner}'. Names that start with l or r stand "
                "for the left or right side and must come in pairs."
            )
        return self.ids[partner]

    def _parse_chains(self, text: str) -> list[Edge]:
        edges: list[Edge] = []
        for chain in text.replace(" ", "").split(","):
            joints = chain.split("-")
            for first, second in zip(joints, joints[1:]):
                if first in self.ids and second in self.ids:
                    edges.extend(self._edge_and_mirror(self.ids[first], self.ids[second]))
        return edges

    def _edge_and_mirror(self, first: int, second: int) -> list[Edge]:
        edge = _sorted_pair(first, second)
        mirrored = _sorted_pair(self.mirror_mapping[first], self.mirror_mapping[second])
        return [edge] if edge == mirrored else [edge, mirrored]


def _sorted_pair(first: int, second: int) -> Edge:
    return (first, second) if first <= second else (second, first)


def _as_pairs(edges: Sequence[Edge]) -> list[Edge]:
    return [(int(first), int(second)) for first, second in edges]
