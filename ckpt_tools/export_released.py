"""Writes the crop model of a checkpoint of ours as a SavedModel in the original layout.

    python -m ckpt_tools.export_released --checkpoint=imported/ --output=crop_model/

Variables of the backbone are named and listed as in the release, so that its tools find them. For
everyday use, `main.py --export_file` writes a smaller and simpler SavedModel.
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
    flags.DEFINE_string("output", None, "folder of the SavedModel", flag_values=values)


def export_model(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    from ckpt_tools.common.model_checkpoints import locate_checkpoint
    from ckpt_tools.common.original_model import save_in_released_layout
    from metrabs.training.model_loading import load_crop_model

    reject_positional_args(words)
    checkpoint, output = required(values, "checkpoint", "output")
    save_in_released_layout(load_crop_model(locate_checkpoint(checkpoint)), output)
    print(f"Wrote {output}.")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, export_model))
