"""Training on several devices and machines: choice of the strategy, sharding, reductions.

The joint batch of a step is sharded round-robin: first over the workers (processes, one per
machine), each of which only loads its own shard, then over the replicas (devices) of each worker.
Each replica thus gets about the same proportion of every dataset.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

import tensorflow as tf
from tensorflow.python.ops.resource_variable_ops import ResourceVariable  # has no public name

from metrabs.errors import UserError

_logger = logging.getLogger(__name__)


def choose_strategy(multi_gpu: bool) -> tf.distribute.Strategy:
    """Returns the strategy of distributed training.

    If the environment variable TF_CONFIG lists several workers, all their GPUs are used. Without
    it, `multi_gpu` selects all GPUs of this machine or, if there are none, the logical CPUs that
    TensorFlow has been configured with. Without both, training is not distributed.

    Must be called before TensorFlow computes anything. With several workers it returns when all
    of them have called it.

    Raises:
        UserError: TF_CONFIG is malformed.
    """
    if len(_workers_of_environment()) > 1:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if multi_gpu:
        kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(devices) > 1:
            return tf.distribute.MirroredStrategy(devices)
        _logger.warning("--multi_gpu: there is only one device, %s.", devices[0])
    return tf.distribute.get_strategy()


@contextlib.contextmanager
def variables_of(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """A scope whose variables belong to a strategy, except strings, which cannot be exchanged."""

    def _create(next_creator: Callable[..., Any], **kwargs: Any) -> Any:
        if kwargs.get("dtype") == tf.string:
            return ResourceVariable(**kwargs)
        return next_creator(**kwargs)

    with strategy.scope(), tf.variable_creator_scope(_create):
        yield


def num_workers(strategy: tf.distribute.Strategy) -> int:
    """Returns the number of processes that train together."""
    resolver = strategy.cluster_resolver
    return resolver.cluster_spec().num_tasks("worker") if resolver is not None else 1


def worker_index(strategy: tf.distribute.Strategy) -> int:
    """Returns the index of this process among those that train together."""
    return strategy.cluster_resolver.task_id if num_workers(strategy) > 1 else 0


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process is the one that writes checkpoints and logs."""
    return worker_index(strategy) == 0


def make_any_reduce(strategy: tf.distribute.Strategy) -> Callable[[bool], bool]:
    """Returns a function that computes whether a flag is set in any process.

    All processes must call that function at the same time.
    """
    if num_workers(strategy) == 1:
        return bool

    def _sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(value))

    @tf.function
    def _count(value: tf.Tensor) -> Any:
        return strategy.run(_sum_over_replicas, (value,))

    def _any_reduce(flag: bool) -> bool:
        results = strategy.experimental_local_results(_count(tf.constant(float(flag))))
        return bool(results[0] > 0)

    return _any_reduce


def joined_over_replicas(tensors: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Joins tensors of all replicas along their first axes, replica after replica.

    On each replica the result is differentiable with respect to the replica's own tensors, and
    constant with respect to those of others. The gradients of one loss of the joined tensors,
    summed over replicas, are therefore its whole gradient.

    Args:
        tensors: Float32 or bool tensors, of static shapes that are the same on all replicas.
    """
    context = tf.distribute.get_replica_context()
    num_replicas = context.num_replicas_in_sync
    if num_replicas == 1:
        return dict(tensors)
    # One exchange of a single tensor: sums of own values and zeros are exact.
    own = tf.concat([tf.reshape(tf.cast(t, tf.float32), [-1]) for t in tensors.values()], axis=0)
    is_own = (tf.range(num_replicas) == context.replica_id_in_sync_group)[:, tf.newaxis]
    joint = context.all_reduce(
        tf.distribute.ReduceOp.SUM, tf.where(is_own, tf.stop_gradient(own), 0.0)
    )
    joint = tf.where(is_own, own, tf.stop_gradient(joint))
    parts = tf.split(joint, [tensor.shape.num_elements() for tensor in tensors.values()], axis=1)
    return {
        name: tf.cast(tf.reshape(part, [num_replicas * t.shape[0], *t.shape[1:]]), t.dtype)
        for (name, t), part in zip(tensors.items(), parts)
    }


def summed_over_replicas(tensors: Sequence[Optional[tf.Tensor]]) -> list[Optional[tf.Tensor]]:
    """Sums each tensor over all replicas, on all of them; Nones stay."""
    context = tf.distribute.get_replica_context()
    present = [tensor for tensor in tensors if tensor is not None]
    if context.num_replicas_in_sync > 1:
        present = context.all_reduce(tf.distribute.ReduceOp.SUM, present)
    remaining = iter(present)
    return [None if tensor is None else next(remaining) for tensor in tensors]


def local_shard(values: tf.Tensor) -> tf.Tensor:
    """Returns this replica's shard of a tensor over the joint batch `[B, ...]`."""
    context = tf.distribute.get_replica_context()
    num_replicas = context.num_replicas_in_sync
    if num_replicas == 1:
        return values
    count = num_workers(context.strategy)
    num_local, replica = num_replicas // count, context.replica_id_in_sync_group
    shards = tf.reshape(values, [-1, num_replicas, *values.shape[1:]])
    return tf.gather(shards, replica // num_local + count * (replica % num_local), axis=1)


def split_among_replicas(
    batch: Mapping[str, Any], strategy: tf.distribute.Strategy
) -> list[dict[str, Any]]:
    """Divides this worker's shard of a joint batch among its replicas."""
    count = strategy.num_replicas_in_sync // num_workers(strategy)
    return [{name: values[i::count] for name, values in batch.items()} for i in range(count)]


def _workers_of_environment() -> Sequence[str]:
    """Returns the addresses of the workers in the environment variable TF_CONFIG."""
    encoded = os.environ.get("TF_CONFIG") or "{}"
    try:
        cluster = json.loads(encoded).get("cluster", {})
        workers = cluster.get("worker", [])
    except (ValueError, AttributeError) as error:
        raise UserError(f"The environment variable TF_CONFIG is not usable: {error}.") from error
    if set(cluster) - {"worker"}:
        raise UserError(f"TF_CONFIG has tasks {', '.join(cluster)}; training knows only 'worker'.")
    return workers
