"""Writes a checkpoint with the mean weights of several others of the same model.

    python -m ckpt_tools.average_checkpoints run/ckpt-396000 run/ckpt-398000 run/ckpt-400000 \\
        --output=averaged/
    python -m ckpt_tools.average_checkpoints a/ b/ --shares=1,3 --output=averaged/

The result has no optimizer: predict with it, export it, or start a run from it by --init_path.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import required, run_command


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_string("output", None, "folder of the new checkpoint", flag_values=values)
    flags.DEFINE_list("shares", [], "of each checkpoint, in any unit; default: equal",
                      flag_values=values)


def average(values: flags.FlagValues, checkpoints: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from metrabs.checkpoint_tools.averaging import average_checkpoints
    from metrabs.errors import UserError

    (output,) = required(values, "output")
    try:
        shares = [float(share) for share in values.shares]
    except ValueError as error:
        raise UserError(f"--shares must be numbers, not {','.join(values.shares)}.") from error
    print(f"Wrote {average_checkpoints(checkpoints, output, shares)}.")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, average))
