"""Builds the synthetic datasets: rendered people in the style of 28 3D and 4 2D datasets.

    python -m data_preparation.synthetic --data_root=$DATA_ROOT

Writes images below `<data_root>/synthetic` and the cache files synth28, synth14, synth3, synth1
and synth2d below `<data_root>/cache`. An interrupted run continues where it stopped.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import reject_positional_args, run_command
from metrabs.errors import UserError
from metrabs.synthetic.dataset_suite import build_dataset_suite


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    sizes = {
        "examples_per_dataset": (120, "training images per 3D dataset on average, distributed "
                                 "by the datasets' shares of a batch"),
        "valid_examples_per_dataset": (8, "validation images of each 3D dataset"),
        "num_test_examples": (400, "test images, of all styles, with all joints"),
        "examples_per_dataset_2d": (150, "training images of each 2D dataset"),
    }
    for name, (default, text) in sizes.items():
        flags.DEFINE_integer(name, default, text, flag_values=values)
    flags.DEFINE_string("data_root", os.environ.get("DATA_ROOT"),
                        "folder of all data; default: $DATA_ROOT", flag_values=values)
    flags.DEFINE_integer("seed", 0, "seed of every random choice", flag_values=values)
    flags.DEFINE_integer("workers", None, "processes; default: one per processor, at most 12",
                         flag_values=values)


def build(values: flags.FlagValues, words: Sequence[str] = ()) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    if not values.data_root:
        raise UserError("Give --data_root=FOLDER or set DATA_ROOT.")
    paths = build_dataset_suite(
        values.data_root,
        seed=values.seed,
        examples_per_dataset=values.examples_per_dataset,
        valid_examples_per_dataset=values.valid_examples_per_dataset,
        num_test_examples=values.num_test_examples,
        examples_per_dataset_2d=values.examples_per_dataset_2d,
        workers=values.workers,
    )
    for name, path in paths.items():
        print(f"{name}: {path}")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, build))
