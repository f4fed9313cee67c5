from __future__ import annotations

import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.skeleton_selection import build_index_table, check_skeletons, look_up_joints
from metrabs.skeletons.tables import Skeleton

SKELETONS = {
    "two": Skeleton([2, 0], ["c", "a"], [(0, 1)]),
    "": Skeleton([0, 1, 2], ["a", "b", "c"], []),
}


def _look_up(name):
    table = build_index_table(SKELETONS)
    function = tf.function(lambda name: look_up_joints(table, name, list(SKELETONS)))
    return function(tf.constant(name)).numpy().tolist()


def test_joints_are_found_by_name_in_their_order():
    assert _look_up("two") == [2, 0]
    assert _look_up("") == [0, 1, 2]


def test_unknown_name_is_an_error_that_lists_the_known_ones():
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Unknown skeleton .*three.*two"):
        _look_up("three")


def test_table_is_small_enough_to_be_stored():
    keys, _ = build_index_table(SKELETONS).export()
    assert len(keys) < 100


@pytest.mark.parametrize(
    "skeletons, message",
    [
        ({"two": SKELETONS["two"]}, "no entry named ''"),
        ({"": Skeleton([0, 3], ["a", "d"], [])}, "joints 0..2"),
        ({"": Skeleton([], [], [])}, "at least one joint"),
    ],
)
def test_skeletons_that_do_not_fit_the_model_are_refused(skeletons, message):
    with pytest.raises(UserError, match=message):
        check_skeletons(skeletons, 3)
