from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrabs.models.joint_selection import match_2d_joints
from metrabs.skeletons import JointInfo
from tests.golden.tolerances import assert_close


def test_2d_like_joints_match_the_original(golden):
    data = golden("train_like2d_joints")
    match = match_2d_joints(list(data["names3d"]), list(data["names2d"]))
    assert match.kept_indices == tuple(range(len(data["names2d"])))
    assert_close(match.average(tf.constant(data["coords"])), data["out"], rtol=1e-6)


def test_mirror_mapping_and_edges_match_the_original(golden):
    data = golden("train_like2d_joints")
    joint_info = JointInfo(list(data["names3d"]), [tuple(edge) for edge in data["edges3d"]])
    np.testing.assert_array_equal(joint_info.mirror_mapping, data["mirror_mapping3d"])
    np.testing.assert_array_equal(joint_info.edges, data["edges3d"])
