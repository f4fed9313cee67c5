"""Turns an official EfficientNetV2 checkpoint into a weights file for --backbone_weights.

    python -m ckpt_tools.import_efficientnetv2 --source=efficientnetv2-s.tgz \\
        --backbone=efficientnetv2-s --output=efficientnetv2-s.h5
    python main.py --train --backbone=efficientnetv2-s --backbone_weights=efficientnetv2-s.h5 ...

The authors publish them at
https://storage.googleapis.com/cloud-tpu-checkpoints/efficientnet/v2/<name>.tgz with the names
efficientnetv2-b0 to -b3, -s, -m, -l and -xl-21k. Plain values are taken as in the release; the
moving averages, the better classifier, with --use_averages.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import reject_positional_args, required, run_command


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_string("source", None, "the .tgz, its unpacked folder, or a checkpoint in it",
                        flag_values=values)
    flags.DEFINE_string("backbone", None, "such as efficientnetv2-s", flag_values=values)
    flags.DEFINE_string("output", None, "file to write, .h5", flag_values=values)
    flags.DEFINE_bool("use_averages", False, "moving averages instead of plain values",
                      flag_values=values)


def import_weights(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from metrabs.checkpoint_tools.official_efficientnetv2 import import_efficientnetv2

    reject_positional_args(words)
    source, backbone, output = required(values, "source", "backbone", "output")
    count = import_efficientnetv2(source, backbone, output, values.use_averages)
    print(f"Wrote {count} variables to {output}.")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, import_weights))
