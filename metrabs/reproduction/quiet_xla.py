"""Silences the notices that TensorFlow prints when XLA compiles for the first time."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator


@functools.lru_cache(maxsize=1)
def silence_xla_notices() -> None:
    """Compiles a trivial function while standard error is discarded.

    The notices ('All log messages before absl::InitializeLog() ...', 'Compiled cluster using
    XLA!') are printed once per process, by C++ code that no setting reaches.
    """
    import tensorflow as tf

    with _discarded_stderr():
        tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(1.0))


@contextlib.contextmanager
def _discarded_stderr() -> Iterator[None]:
    """Discards what C++ code and Python write to standard error."""
    sys.stderr.flush()
    descriptor = 2  # whatever sys.stderr is, C++ writes to this one
    saved = os.dup(descriptor)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), descriptor)
        try:
            yield
        finally:
            os.dup2(saved, descriptor)
            os.close(saved)
