"""The first compilation by XLA prints nothing, and errors stay visible."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from metrabs.reproduction.quiet_xla import silence_xla_notices
silence_xla_notices()
import tensorflow as tf
tf.function(lambda x: x * 2, jit_compile=True)(tf.constant(1.0))
print("an error", file=sys.stderr)
"""


@pytest.mark.slow
def test_standard_error_holds_only_what_the_program_writes() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert finished.stderr == "an error\n"
