from __future__ import annotations

import pickle

import pytest
import tensorflow as tf

from metrabs.errors import Interrupted, UserError, WorkerLostError, unknown_name_error


def test_user_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="^a message$"):
        raise UserError("a message")


def test_user_error_keeps_its_type_inside_a_tf_function() -> None:
    @tf.function
    def traced(x: tf.Tensor) -> tf.Tensor:
        if tf.reduce_sum(x) > 0:  # makes AutoGraph convert the function
            raise UserError("a message")
        return x

    with pytest.raises(UserError, match="a message"):
        traced(tf.constant(1.0))


def test_user_error_returns_unchanged_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(UserError("a message")))
    assert type(error) is UserError and str(error) == "a message"


def test_unknown_name_error_lists_the_known_names_in_order() -> None:
    error = unknown_name_error("backbone", "resnet", ["b", "a"])
    assert str(error) == "Unknown backbone 'resnet'. Known: a, b."


def test_interruption_carries_its_signal() -> None:
    error = Interrupted(15)
    assert error.signal_number == 15 and "signal 15" in str(error)
    assert not isinstance(error, UserError)


def test_lost_worker_error_says_how_to_go_on() -> None:
    assert "(no answer). Restart all workers" in str(WorkerLostError("no answer"))
