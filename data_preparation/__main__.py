"""Prepares datasets for training: small crops and a cache file each.

    python -m data_preparation NAME --data_root=FOLDER [settings]
    python -m data_preparation --list --data_root=FOLDER
    python -m data_preparation NAME --help

An interrupted run continues where it stopped. docs/prepare/NAME.md says what to download.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags

from data_preparation.common.command import define_flags, list_datasets, run_converter
from data_preparation.registry import converters, load_converter
from metrabs.command import reject_positional_args, run_command
from metrabs.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns the exit code.

    Args:
        arguments: Command line without the name of the program.
    """
    names = [argument for argument in arguments[:1] if not argument.startswith("-")]

    def define(values: flags.FlagValues) -> None:
        """Declares the shared flags and those of the named dataset."""
        define_flags(values, load_converter(names[0]) if names else None)

    def run(values: flags.FlagValues, words: Sequence[str]) -> None:
        """Prepares the named dataset, or lists all datasets."""
        reject_positional_args(words)
        if values.list:
            print(list_datasets(converters(), values))
        elif names:
            print(run_converter(load_converter(names[0]), values).text())
        else:
            known = ", ".join(sorted(converters()))
            raise UserError(f"Give the name of a dataset, or --list. Known datasets: {known}.")

    return run_command(
        __doc__,
        define,
        run,
        arguments[len(names) :],
        interrupted="Interrupted. The same command continues from here.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
