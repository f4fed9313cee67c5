"""The history file, when checkpoints are saved, and the handling of signals."""

from __future__ import annotations

import os
import pathlib
import signal
import types

import pytest

from metrabs.training.callbacks import MetricsHistory, SaveCheckpoints, StopOnSignal, read_history


def test_history_drops_what_a_resumed_run_repeats(tmp_path: pathlib.Path) -> None:
    history = MetricsHistory(tmp_path, 0)
    for step in (1, 2, 3):
        history.add(step, {"loss": 1 / step})
    history.close()
    resumed = MetricsHistory(tmp_path, 2)
    resumed.add(3, {"loss": 0.25})
    resumed.close()
    assert read_history(tmp_path) == [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 0.5},
        {"step": 3, "loss": 0.25},
    ]


def test_signal_is_noted_once_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with StopOnSignal() as stopping:
        assert signal.getsignal(signal.SIGINT) != before
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.received == signal.SIGTERM
        assert signal.getsignal(signal.SIGINT) == before  # a second signal acts at once
    assert signal.getsignal(signal.SIGINT) == before


def test_second_interrupt_acts_at_once() -> None:
    # Processes in the background of a shell start with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), StopOnSignal():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_end_of_a_run_is_not_saved_before_it_is_complete() -> None:
    saved: list[int] = []
    callback = SaveCheckpoints(types.SimpleNamespace(save=saved.append), period=2, num_steps=6)
    for step in range(1, 7):
        callback.set_model(types.SimpleNamespace(num_completed_steps=step))
        callback.on_train_batch_end(step)
    assert saved == [2, 4]
