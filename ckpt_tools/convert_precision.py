"""Writes a checkpoint of the same model that computes in another precision.

    python -m ckpt_tools.convert_precision --checkpoint=run/ --dtype=float32 --output=run_float32/

Models trained in float16 (mixed precision) are meant for GPUs; on most processors float32 is
faster. Weights are kept in float32 in any case. Prints how far predictions move.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import reject_positional_args, required, run_command


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_string("checkpoint", None, "checkpoint, or a folder with checkpoints",
                        flag_values=values)
    flags.DEFINE_enum("dtype", "float32", ["float32", "float16", "bfloat16"], "type of "
                      "computation", flag_values=values)
    flags.DEFINE_string("output", None, "folder of the new checkpoint", flag_values=values)


def convert(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from metrabs.checkpoint_tools.precision import convert_precision

    reject_positional_args(words)
    checkpoint, output = required(values, "checkpoint", "output")
    result = convert_precision(checkpoint, values.dtype, output)
    print(f"{result.old_dtype} -> {result.new_dtype}: {result.checkpoint}")
    print(f"Largest difference between joints, on noise: {result.difference_mm:.3f} mm")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, convert))
