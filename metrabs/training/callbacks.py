"""Keras callbacks of training: logs, progress, validation, previews, checkpoints, stopping."""

from __future__ import annotations

import collections
import json
import logging
import pathlib
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Optional

import numpy as np
import tensorflow as tf

from metrabs.config import Config
from metrabs.files import write_text_atomically
from metrabs.progress import ProgressBar, progress_bar
from metrabs.training.checkpoints import CheckpointManager, run_folder
from metrabs.training.wandb_log import WandbLog, open_wandb_log

HISTORY_FILE = "metrics.jsonl"
_NUM_TIMED_STEPS = 20  # window of the mean speed, as in the original
_logger = logging.getLogger(__name__)


class MetricsHistory:
    """The metrics and previews of a run over time, in JSON lines and TensorBoard files.

    Each line of `metrics.jsonl` is an object with `step` (completed steps) and any metrics.
    Records of an earlier part of the run after the first step of this part are dropped.

    Args:
        folder: Folder of the run.
        start_step: Completed steps at the start of this part of the run.
        wandb_log: Second destination of everything, if any.
    """

    def __init__(
        self, folder: pathlib.Path, start_step: int, wandb_log: Optional[WandbLog] = None
    ) -> None:
        self.path = folder / HISTORY_FILE
        rows = [row for row in read_history(folder) if row["step"] <= start_step]
        write_text_atomically(self.path, "".join(json.dumps(row) + "\n" for row in rows))
        self._writer = tf.summary.create_file_writer(str(folder / "tensorboard"))
        self._wandb_log = wandb_log

    def add(self, step: int, metrics: dict[str, float]) -> None:
        """Records metrics after some completed steps."""
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **metrics}) + "\n")
        named = {f"metrics/{name}": value for name, value in metrics.items()}
        with self._writer.as_default():
            for name, value in named.items():
                tf.summary.scalar(name, value, step=step)
        if self._wandb_log is not None:
            self._wandb_log.add(step, named)

    def add_image(self, step: int, name: str, image: np.ndarray) -> None:
        """Records a uint8 image [h, w, 3] after some completed steps."""
        with self._writer.as_default():
            tf.summary.image(name, image[np.newaxis], step=step)
        if self._wandb_log is not None:
            self._wandb_log.add_image(step, name, image)

    def close(self) -> None:
        """Flushes buffered records."""
        self._writer.close()
        if self._wandb_log is not None:
            self._wandb_log.close()


def open_history(config: Config, start_step: int) -> MetricsHistory:
    """Opens the history of the run that the settings describe."""
    folder = run_folder(config)
    return MetricsHistory(folder, start_step, open_wandb_log(folder, config))


def read_history(folder: pathlib.Path) -> list[dict[str, float]]:
    """Reads the recorded metrics of a run in the order of steps; empty without a file."""
    path = folder / HISTORY_FILE
    lines = path.read_text().splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


class LogMetrics(tf.keras.callbacks.Callback):
    """Shows progress and records the training metrics every `period` steps.

    On a terminal there is a progress bar, elsewhere a log line with each record.

    Args:
        history: History that receives the records.
        num_steps: Number of steps of the whole run.
        period: Steps between records.
    """

    def __init__(self, history: MetricsHistory, num_steps: int, period: int) -> None:
        super().__init__()
        self._history = history
        self._num_steps = num_steps
        self._period = period
        self._times: collections.deque[float] = collections.deque(maxlen=_NUM_TIMED_STEPS + 1)
        self._is_terminal = sys.stderr.isatty()
        self._bar: Optional[ProgressBar] = None

    def on_train_begin(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Starts the progress bar."""
        self._times.append(time.perf_counter())
        self._bar = progress_bar(
            desc="training",
            total=self._num_steps,
            initial=self.model.num_completed_steps,
            unit="step",
        )

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Advances the bar, records every `period` steps and at the end."""
        step = self.model.num_completed_steps
        self._times.append(time.perf_counter())
        assert self._bar is not None and logs is not None
        self._bar.update()
        if step % self._period and step != self._num_steps:
            return
        metrics = {name: float(value) for name, value in logs.items()}
        metrics["step_per_sec"] = (len(self._times) - 1) / (self._times[-1] - self._times[0])
        self._history.add(step, metrics)
        self._bar.set_postfix(loss=f"{metrics['loss']:.4f}", refresh=False)
        if not self._is_terminal:
            _logger.info(
                "step %d/%d  loss %.4f  mean error %.0f mm  %.2f steps/s",
                step,
                self._num_steps,
                metrics["loss"],
                metrics["mean_error"],
                metrics["step_per_sec"],
            )

    def on_train_end(self, logs: Optional[dict[str, Any]] = None) -> None:
        """Ends the progress bar."""
        if self._bar is not None:
            self._bar.close()


class Validate(tf.keras.callbacks.Callback):
    """Computes and records validation metrics every `period` steps.

    Args:
        history: History that receives the records.
        compute_metrics: Function that returns metrics of the current model by name.
        period: Steps between validations.
    """

    def __init__(
        self, history: MetricsHistory, compute_metrics: Callable[[], dict[str, float]], period: int
    ) -> None:
        super().__init__()
        self._history = history
        self._compute_metrics = compute_metrics
        self._period = period

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Validates after every `period` steps."""
        step = self.model.num_completed_steps
        if step % self._period:
            return
        metrics = {f"val_{name}": value for name, value in self._compute_metrics().items()}
        self._history.add(step, metrics)
        _logger.info(
            "validation after %d steps: %s",
            step,
            ", ".join(f"{name} {value:.4g}" for name, value in metrics.items()),
        )


class DrawPreviews(tf.keras.callbacks.Callback):
    """Draws and records a preview of predicted poses every `period` steps.

    Args:
        history: History that receives the records.
        draw: Function that returns a uint8 image [h, w, 3] for the current model.
        period: Steps between previews.
    """

    def __init__(
        self, history: MetricsHistory, draw: Callable[[], np.ndarray], period: int
    ) -> None:
        super().__init__()
        self._history = history
        self._draw = draw
        self._period = period

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Draws after every `period` steps."""
        step = self.model.num_completed_steps
        if step % self._period == 0:
            self._history.add_image(step, "poses", self._draw())


class SaveCheckpoints(tf.keras.callbacks.Callback):
    """Saves a checkpoint every `period` steps, except after the last step.

    The last step is not the end of a run: moving averages may still replace the weights.

    Args:
        manager: Manager of the checkpoints.
        period: Steps between checkpoints.
        num_steps: Number of steps of the whole run.
    """

    def __init__(self, manager: CheckpointManager, period: int, num_steps: int) -> None:
        super().__init__()
        self._manager = manager
        self._period = period
        self._num_steps = num_steps

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Saves after every `period` steps."""
        step = self.model.num_completed_steps
        if step % self._period == 0 and step < self._num_steps:
            self._manager.save(step)


class StopOnSignal(tf.keras.callbacks.Callback):
    """Ends training after the current step on Ctrl-C or a request to terminate.

    Use it in a `with` statement around `fit`. A second signal has its usual, immediate effect.

    Args:
        any_reduce: Function that returns whether a flag is set in any process that takes part in
            training, so that all stop after the same step.

    Attributes:
        received: Number of the signal; None before it is received.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, any_reduce: Callable[[bool], bool] = bool) -> None:
        super().__init__()
        self._any_reduce = any_reduce
        self.received: Optional[int] = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopOnSignal:
        try:
            self._previous = {
                number: signal.signal(number, self._note) for number in self._SIGNALS
            }
        except ValueError:  # only the main thread may handle signals
            self._previous = {}
        return self

    def __exit__(self, *exception: Any) -> None:
        self._restore_handlers()

    def on_train_batch_end(self, batch: int, logs: Optional[dict[str, Any]] = None) -> None:
        """Stops if any process has received a signal."""
        if self._any_reduce(self.received is not None):
            self.received = self.received or signal.SIGTERM
            self.model.stop_training = True

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        self.received = number
        self._restore_handlers()
        _logger.warning("Received %s: saving after this step.", signal.Signals(number).name)

    def _restore_handlers(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
