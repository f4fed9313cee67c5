from __future__ import annotations

import numpy as np

from metrabs.models.joint_selection import skeleton_indices


def test_selecting_skeletons_matches_the_original(golden):
    data = golden("train_select_skeleton")
    source, target = list(data["names_src"]), list(data["names_dst"])
    skeleton = str(data["skeleton"])
    selected = data["coords"][..., skeleton_indices(source, target, skeleton), :]
    np.testing.assert_array_equal(selected, data[f"out_{skeleton}"])
    unchanged = data["coords"][..., skeleton_indices(source, target, ""), :]
    np.testing.assert_array_equal(unchanged, data["out_empty"])
