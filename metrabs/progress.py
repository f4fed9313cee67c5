"""Progress of long work: bars on a terminal, elsewhere a line every half minute.

Work opens a `progress_bar`. Where standard error is not a terminal, such as in a batch job, the
bar is invisible, and whoever runs the work prints lines about it with `progress_lines`.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Optional

import tqdm

LINE_PERIOD_SECONDS = 30.0
_active_bars: list[ProgressBar] = []  # the innermost is the last


class ProgressBar(tqdm.tqdm):
    """A tqdm bar that `describe_progress` knows as long as it is open."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if not self.disable:
            _active_bars.append(self)

    def close(self) -> None:
        """Ends the bar."""
        if _active_bars and self in _active_bars:  # None while the interpreter shuts down
            _active_bars.remove(self)
        super().close()

    def __eq__(self, other: object) -> bool:
        return self is other  # tqdm compares positions on the screen

    def __hash__(self) -> int:
        return id(self)


def progress_bar(
    iterable: Any = None,
    desc: str = "",
    total: Optional[int] = None,
    unit: str = "it",
    initial: int = 0,
    disable: bool = False,
) -> ProgressBar:
    """Returns a progress bar, which is visible if standard error is a terminal.

    Args:
        iterable: Items whose iteration moves the bar; without, call its `update`.
        desc: Name of the work.
        total: Number of items; default: the length of `iterable` if it has one.
        unit: Name of an item.
        initial: Number of items that an earlier run has finished.
        disable: Show nothing at all.
    """
    file = sys.stderr if sys.stderr.isatty() else _Discarding()
    return ProgressBar(
        iterable,
        desc,
        total,
        unit=unit,
        initial=initial,
        disable=disable,
        file=file,
        dynamic_ncols=True,
    )


@contextlib.contextmanager
def progress_lines(
    label: str, period_seconds: float = LINE_PERIOD_SECONDS, is_terminal: Optional[bool] = None
) -> Iterator[None]:
    """Prints a line about the work in this block every so often, unless bars are visible.

    Args:
        label: Start of each line, such as the name of a stage.
        period_seconds: Time between lines.
        is_terminal: Whether bars are visible; default: whether standard error is a terminal.
    """
    if sys.stderr.isatty() if is_terminal is None else is_terminal:
        yield
        return
    start = time.monotonic()
    is_over = threading.Event()

    def print_lines() -> None:
        """Prints until the work is over."""
        while not is_over.wait(period_seconds):
            elapsed = tqdm.tqdm.format_interval(time.monotonic() - start)
            print(
                ", ".join(filter(None, [f"{label}: {elapsed} elapsed", describe_progress()])),
                flush=True,
            )

    printer = threading.Thread(target=print_lines, daemon=True)
    printer.start()
    try:
        yield
    finally:
        is_over.set()
        printer.join()


def describe_progress() -> str:
    """Returns the state of the innermost open bar: 'training 35 %, 04:03 remaining', or ''."""
    bars = list(_active_bars)
    if not bars:
        return ""
    bar = bars[-1]
    if not bar.total:
        return f"{bar.desc} {bar.n} {bar.unit}s"
    num_done_now, seconds = bar.n - bar.initial, time.time() - bar.start_t
    parts = [f"{bar.desc} {100 * bar.n / bar.total:.0f} %"]
    if num_done_now > 0:
        seconds_remaining = (bar.total - bar.n) * seconds / num_done_now
        parts.append(f"{tqdm.tqdm.format_interval(seconds_remaining)} remaining")
    return ", ".join(parts)


class _Discarding(io.TextIOBase):
    """A text file that forgets what is written to it."""

    def write(self, text: str) -> int:
        """Forgets a string."""
        return len(text)
