"""The order of joints inside the autoencoder: left, right (in the same order), central."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from metrabs.errors import UserError


@dataclasses.dataclass(frozen=True)
class JointOrder:
    """Left, then right, then central joints.

    Attributes:
        permutation: Original index of each joint of the new order; `poses[:, permutation]`.
        num_sided: Number of left and right joints together.
    """

    permutation: np.ndarray
    num_sided: int

    @property
    def num_central(self) -> int:
        """Number of joints without a side."""
        return len(self.permutation) - self.num_sided

    @property
    def inverse(self) -> np.ndarray:
        """The permutation that restores the original order."""
        return np.argsort(self.permutation)


def order_by_side(joint_names: Sequence[str]) -> JointOrder:
    """Groups joints by the first letter of their names: l, r or any other.

    Args:
        joint_names: Names in the original order, such as 'lelb_h36m'.

    Raises:
        UserError: a name is given twice, or a joint has a side by its name but no partner on the
            other side ('root', for example, starts with r). The original drops such joints.
    """
    names = list(joint_names)
    index_of = {name: i for i, name in enumerate(names)}
    if len(index_of) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise UserError(f"Joint names must be unique; given twice: {', '.join(twice)}.")
    partner_letter = {"l": "r", "r": "l"}
    lonely = [
        name
        for name in names
        if name[:1] in partner_letter and partner_letter[name[0]] + name[1:] not in index_of
    ]
    if lonely:
        raise UserError(
            "Names that start with l or r mean left or right joints and need a partner on the "
            f"other side; without one: {', '.join(lonely)}. Rename or remove these joints."
        )
    left = [name for name in names if name.startswith("l")]
    right = ["r" + name[1:] for name in left]
    central = [name for name in names if name[:1] not in partner_letter]
    permutation = np.array([index_of[name] for name in left + right + central], np.int64)
    return JointOrder(permutation, num_sided=2 * len(left))
