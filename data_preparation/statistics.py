"""Counts what is in a dataset: examples, joints and masks of each member and phase.

    python -m data_preparation.statistics NAME [--csv=FILE] [--figure=FILE.png]

NAME is a dataset with a cache file in the cache folder, or the path of a cache file.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Optional

from absl import flags
from tqdm import tqdm

from data_preparation.merging.statistics import (
    SectionStatistics,
    dataset_statistics,
    statistics_csv,
    statistics_table,
)
from metrabs.command import run_command
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import PHASES, PoseDataset
from metrabs.errors import UserError
from metrabs.files import write_text_atomically
from metrabs.visualization.dataset_chart import dataset_figure
from metrabs.visualization.figures import save_figure


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    flags.DEFINE_string("csv", None, "also write the counts to this file", flag_values=values)
    flags.DEFINE_string("figure", None, "also draw the counts of the first phase into this file",
                        flag_values=values)


def report_statistics(
    dataset: PoseDataset, csv_path: Optional[str] = None, figure_path: Optional[str] = None
) -> list[SectionStatistics]:
    """Prints the counts of a dataset; writes them as CSV and draws them where a path is given."""
    total = sum(len(dataset.phase(phase)) for phase in PHASES)
    with tqdm(total=total, desc="Counting", unit="example", unit_scale=True) as bar:
        statistics = dataset_statistics(dataset, bar.update)
    print(statistics_table(statistics))
    if csv_path:
        write_text_atomically(csv_path, statistics_csv(statistics))
    if figure_path and statistics:
        drawn = [section for section in statistics if section.phase == statistics[0].phase]
        names, _, num_examples, num_joints, percent_valid, _ = zip(*drawn)
        title = f"{dataset.name}, {drawn[0].phase}: {sum(num_examples):,} examples"
        save_figure(
            dataset_figure(names, num_examples, num_joints, percent_valid, title), figure_path
        )
    return statistics


def count(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    if len(words) != 1:
        raise UserError("Give one dataset: a name or the path of a cache file.")
    report_statistics(open_dataset(words[0]), values.csv, values.figure)


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, count))
