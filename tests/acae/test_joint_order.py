from __future__ import annotations

import numpy as np
import pytest

from metrabs.acae.joint_order import order_by_side
from metrabs.errors import UserError
from metrabs.skeletons.tables import merged_joint_info

NAMES = ["rwri", "neck", "lelb_h36m", "lwri", "pelv", "relb_h36m"]


def test_left_joints_come_first_then_their_partners_then_the_rest():
    order = order_by_side(NAMES)
    ordered = [NAMES[i] for i in order.permutation]
    assert ordered == ["lelb_h36m", "lwri", "relb_h36m", "rwri", "neck", "pelv"]
    assert (order.num_sided, order.num_central) == (4, 2)


def test_inverse_restores_the_original_order():
    order = order_by_side(NAMES)
    assert np.array_equal(np.arange(6)[order.permutation][order.inverse], np.arange(6))


@pytest.mark.parametrize("name", ["root", "lumbar", "relb"])
def test_sided_name_without_partner_is_rejected(name):
    with pytest.raises(UserError, match=f"without one: {name}"):
        order_by_side([*NAMES, name])


def test_duplicate_names_are_rejected():
    with pytest.raises(UserError, match="given twice: neck"):
        order_by_side([*NAMES, "neck"])


@pytest.mark.parametrize("merged", ["huge8", "medium3", "small5"])
def test_merged_skeletons_have_paired_sides(merged):
    names = merged_joint_info(merged).names
    order = order_by_side(names)
    assert sorted(order.permutation) == list(range(len(names)))
