"""The loop of a training run around Keras `fit`: input, phases, and termination."""

from __future__ import annotations

import contextlib
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.errors import Interrupted, WorkerLostError
from metrabs.training.callbacks import (
    DrawPreviews,
    LogMetrics,
    MetricsHistory,
    SaveCheckpoints,
    StopOnSignal,
    Validate,
    open_history,
)
from metrabs.training.checkpoints import CheckpointManager
from metrabs.training.distribution import (
    is_chief,
    make_any_reduce,
    num_workers,
    split_among_replicas,
)
from metrabs.training.trainer import Trainer

_NUM_PREFETCHED = 2
# Errors of collective operations in the remaining workers when one is lost.
_WORKER_LOST_ERRORS = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
)

Batches = Iterator[Mapping[str, Any]]


def run_steps(
    trainer: Trainer,
    batches: Batches,
    num_steps: int,
    manager: CheckpointManager,
    validate: Optional[Callable[[], dict[str, float]]] = None,
    draw: Optional[Callable[[], np.ndarray]] = None,
) -> pathlib.Path:
    """Trains to the last step, with the last steps in inference mode if the settings say so.

    The state is saved at the end, and also when a signal or lack of memory ends the run early,
    but not when the loss is not finite.

    Args:
        trainer: Trainer with initialised weights and step.
        batches: Batches from the trainer's step on.
        num_steps: Number of steps of the whole run.
        manager: Manager of the checkpoints.
        validate: Function that computes validation metrics by name.
        draw: Function that draws a uint8 image [h, w, 3] of predictions.

    Returns:
        The last checkpoint.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came, here or to another worker.
        WorkerLostError: another worker has died.
    """
    strategy = trainer.distribute_strategy
    stopping = StopOnSignal(make_any_reduce(strategy))
    try:
        with _history(trainer) as history, stopping:
            callbacks = [
                stopping,
                *_callbacks(trainer, num_steps, history, manager, validate, draw),
            ]
            _run_phases(trainer, batches, num_steps, manager, stopping, callbacks)
        checkpoint = manager.save(trainer.num_completed_steps)
    except tf.errors.ResourceExhaustedError:
        # The updates of a step come after all that needs much memory, so the weights are whole.
        if num_workers(strategy) == 1:  # saving takes all workers
            manager.save(trainer.num_completed_steps)
        raise
    except _WORKER_LOST_ERRORS as error:
        if num_workers(strategy) == 1:
            raise
        raise WorkerLostError(str(error).splitlines()[0]) from error
    if stopping.received is not None and trainer.num_completed_steps < num_steps:
        raise Interrupted(stopping.received)
    return checkpoint


def _run_phases(
    trainer: Trainer,
    batches: Batches,
    num_steps: int,
    manager: CheckpointManager,
    stopping: StopOnSignal,
    callbacks: list[tf.keras.callbacks.Callback],
) -> None:
    num_in_inference_mode = trainer.config.optimization.finetune_in_inference_mode
    switch = num_steps - num_in_inference_mode
    if trainer.num_completed_steps < switch:
        _fit(trainer, batches, switch - trainer.num_completed_steps, callbacks)
    if num_in_inference_mode and stopping.received is None:
        if trainer.num_completed_steps == switch:
            manager.save(switch, keep_forever=True)
        trainer.enter_inference_mode()
        _fit(trainer, batches, num_steps - trainer.num_completed_steps, callbacks)
    if trainer.num_completed_steps == num_steps:  # a moving average replaces the weights
        trainer.optimizer.swap_in_ema(trainer.crop_model.trainable_variables)


@contextlib.contextmanager
def _history(trainer: Trainer) -> Iterator[MetricsHistory]:
    """Opens the history of the run; records of workers other than the chief are discarded."""
    step = trainer.num_completed_steps
    if is_chief(trainer.distribute_strategy):
        with contextlib.closing(open_history(trainer.config, step)) as history:
            yield history
        return
    with tempfile.TemporaryDirectory() as nowhere:
        with contextlib.closing(MetricsHistory(pathlib.Path(nowhere), step)) as history:
            yield history


def _callbacks(
    trainer: Trainer,
    num_steps: int,
    history: MetricsHistory,
    manager: CheckpointManager,
    validate: Optional[Callable[[], dict[str, float]]],
    draw: Optional[Callable[[], np.ndarray]],
) -> list[tf.keras.callbacks.Callback]:
    config = trainer.config
    callbacks: list[tf.keras.callbacks.Callback] = []
    if is_chief(trainer.distribute_strategy):
        callbacks.append(LogMetrics(history, num_steps, config.run.log_period))
    # Looking at the model takes all workers, since its batch statistics are means over them.
    if config.optimization.validate_period is not None and validate is not None:
        callbacks.append(Validate(history, validate, config.optimization.validate_period))
    if config.run.picture_period is not None and draw is not None:
        callbacks.append(DrawPreviews(history, draw, config.run.picture_period))
    callbacks.append(SaveCheckpoints(manager, config.optimization.checkpoint_period, num_steps))
    return callbacks


def _fit(
    trainer: Trainer,
    batches: Iterator[Mapping[str, Any]],
    num_steps: int,
    callbacks: list[tf.keras.callbacks.Callback],
) -> None:
    # Keras' epochs mean nothing here: the run is one sequence of steps.
    trainer.fit(
        shard_batches(batches, num_steps, trainer.distribute_strategy),
        epochs=1,
        steps_per_epoch=num_steps,
        verbose=0,
        callbacks=callbacks,
    )


def shard_batches(batches: Batches, num_steps: int, strategy: tf.distribute.Strategy) -> Any:
    """Wraps the next batches of this worker for Keras, divided among its replicas.

    Args:
        batches: Iterator, of which exactly `num_steps` batches are consumed.
        num_steps: Number of batches.
        strategy: Strategy of distributed training.

    Returns:
        A dataset; with several replicas, one whose values are one per replica.
    """
    if strategy.num_replicas_in_sync == 1:
        return _as_tf_dataset(batches, num_steps)
    num_local = strategy.num_replicas_in_sync // num_workers(strategy)
    shards = (shard for batch in batches for shard in split_among_replicas(batch, strategy))
    return strategy.distribute_datasets_from_function(
        lambda context: _as_tf_dataset(shards, num_steps * num_local),
        # String tensors cannot be placed on a GPU.
        tf.distribute.InputOptions(experimental_fetch_to_device=False),
    )


def _as_tf_dataset(batches: Iterator[Mapping[str, Any]], num_steps: int) -> tf.data.Dataset:
    """Wraps the next batches for Keras; exactly `num_steps` are taken from the iterator."""
    first = next(batches)
    signature = {
        name: tf.TensorSpec(
            np.shape(value), tf.string if np.asarray(value).dtype.kind in "OSU" else value.dtype
        )
        for name, value in first.items()
    }
    rest = itertools.islice(batches, num_steps - 1)
    dataset = tf.data.Dataset.from_generator(
        lambda: itertools.chain([first], rest), output_signature=signature
    )
    return dataset.prefetch(_NUM_PREFETCHED)
