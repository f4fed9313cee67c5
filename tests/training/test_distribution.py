"""Choosing how to distribute, and dividing batches. What replicas do together is tested by
`test_several_replicas`."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.training.distribution import (
    choose_strategy,
    is_chief,
    joined_over_replicas,
    local_shard,
    make_any_reduce,
    num_workers,
    split_among_replicas,
    summed_over_replicas,
    variables_of,
    worker_index,
)


class _TwoLocalReplicas:
    """As much of a strategy as dividing a batch needs."""

    num_replicas_in_sync = 2
    cluster_resolver = None


def test_one_device_needs_no_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(
        tf.config,
        "list_logical_devices",
        lambda kind: [tf.config.LogicalDevice(f"/{kind}:0", kind)],
    )
    for multi_gpu in (False, True):
        strategy = choose_strategy(multi_gpu)
        assert strategy.num_replicas_in_sync == 1
        assert (num_workers(strategy), worker_index(strategy), is_chief(strategy)) == (1, 0, True)
        any_worker = make_any_reduce(strategy)
        assert any_worker(True) and not any_worker(False)


def test_cluster_with_one_worker_needs_no_strategy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}, "task": {"index": 0}}')
    assert num_workers(choose_strategy(False)) == 1


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not usable"),
        ("[]", "not usable"),
        ('{"cluster": {"worker": ["a:1", "b:1"], "ps": ["c:1"]}}', "knows only 'worker'"),
        ('{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}}', "knows only 'worker'"),
    ],
)
def test_invalid_cluster_is_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=message):
        choose_strategy(False)


def test_batches_are_sharded_round_robin() -> None:
    batch = {"a": np.arange(6), "b": np.arange(8).reshape(4, 2)}
    first, second = split_among_replicas(batch, _TwoLocalReplicas())
    assert first["a"].tolist() == [0, 2, 4] and second["a"].tolist() == [1, 3, 5]
    assert first["b"].tolist() == [[0, 1], [4, 5]]


def test_single_process_changes_nothing() -> None:
    values = tf.range(4.0)
    assert joined_over_replicas({"a": values})["a"] is values
    assert local_shard(values) is values
    assert summed_over_replicas([values, None])[0] is values


def test_string_variables_are_local_to_each_process() -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with variables_of(strategy):
        text, number = tf.Variable(["a"]), tf.Variable([1.0])
        named = tf.Variable(["b"], dtype=tf.string, trainable=False, name="named")
    assert strategy.extended.variable_created_in_scope(number)
    assert not strategy.extended.variable_created_in_scope(named)
    assert named.numpy().tolist() == [b"b"] and text.numpy().tolist() == [b"a"]
