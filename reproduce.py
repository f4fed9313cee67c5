"""Reproduces the method end to end: `python reproduce.py --flagfile=flags/mini/demo.flags`."""

import os
import sys


def main() -> int:
    """Runs the command line; returns the exit code."""
    # Imported here, since data loading processes import this file again.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's log output
    try:
        from metrabs.reproduction.__main__ import main as run_command_line
    except ImportError as error:
        print(
            f"error: {error}. Install the package first (`make venv`); if a system library is "
            "named, install that.", file=sys.stderr,
        )  # fmt: skip
        return 1
    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
