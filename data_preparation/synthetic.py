"""Builds the synthetic datasets: rendered people in the styles of 28 3D and 4 2D datasets.

    python -m data_preparation.synthetic --data_root=$DATA_ROOT

Writes images below `<data_root>/synthetic` and the cache files synth28, synth14, synth3, synth1
and synth2d below `<data_root>/cache`. An interrupted run continues where it stopped.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Optional

from metrabs.command import DataRootSettings, run_tool
from metrabs.settings import setting
from metrabs.synthetic.dataset_suite import build_dataset_suite


@dataclasses.dataclass(frozen=True)
class SyntheticSettings(DataRootSettings):
    """Settings of the command."""

    examples_per_dataset: int = setting(
        120,
        "training images per 3D dataset on average, in proportion to its weight in a batch",
        at_least=1,
    )
    valid_examples_per_dataset: int = setting(
        8, "validation images of each 3D dataset", at_least=1
    )
    num_test_examples: int = setting(
        400, "test images, of all styles, annotated with all joints", at_least=1
    )
    examples_per_dataset_2d: int = setting(150, "training images of each 2D dataset", at_least=1)
    seed: int = setting(0, "random seed of all choices", at_least=0)
    workers: Optional[int] = setting(
        None, "number of processes; default: one per CPU core, at most 12", at_least=0
    )


def build(settings: SyntheticSettings) -> None:
    """Runs the command."""
    paths = build_dataset_suite(
        settings.folders().root,
        seed=settings.seed,
        examples_per_dataset=settings.examples_per_dataset,
        valid_examples_per_dataset=settings.valid_examples_per_dataset,
        num_test_examples=settings.num_test_examples,
        examples_per_dataset_2d=settings.examples_per_dataset_2d,
        workers=settings.workers,
    )
    for name, path in paths.items():
        print(f"{name}: {path}")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(
        __doc__, SyntheticSettings, build, arguments,
        interrupted="Interrupted. The same command continues from here.",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
