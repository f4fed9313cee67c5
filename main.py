"""Trains, predicts with and exports crop models: `python main.py --help`."""

import os
import sys


def main() -> int:
    """Runs the command line; returns the exit code."""
    # Imported here, since data loading processes import this file again.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # silence TensorFlow's log output
    from metrabs.cli import main as run_command_line

    return run_command_line(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
