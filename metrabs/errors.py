"""Errors caused by user input, and interruptions."""

from __future__ import annotations

from collections.abc import Iterable


class UserError(ValueError):
    """Invalid user input: an argument, a setting or a file.

    The message is one line that says what was given, what was expected and what to do. Commands
    print it without a traceback and exit with code 1.
    """

    # AutoGraph replaces an error raised in a `tf.function` by its own StagingError, unless the
    # error has exactly this constructor; that of ValueError is another object.
    __init__ = Exception.__init__


class Interrupted(Exception):
    """Training was stopped by a signal; its state is saved.

    Attributes:
        signal_number: Number of the signal, such as 15 for SIGTERM.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"Training was interrupted by signal {signal_number}; it can resume.")
        self.signal_number = signal_number


class WorkerLostError(Exception):
    """Another process of a multi-worker training has died."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Another worker was lost ({reason}). Restart all workers; they resume from the last "
            "checkpoint."
        )


def unknown_name_error(kind: str, given: str, known: Iterable[str]) -> UserError:
    """Returns the error for a name that is not in a table; its message lists the known names.

    Args:
        kind: What the name stands for, such as 'backbone'.
        given: The name that was not found.
        known: The names that would have been accepted.
    """
    return UserError(f"Unknown {kind} '{given}'. Known: {', '.join(sorted(known))}.")
