"""Statistics of datasets: examples per member and split, joints, masks."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

import numpy as np
from tqdm import tqdm

from metrabs.data.examples import SPLITS, PoseDataset, dataset_codes
from metrabs.data.storage.columns import Rows
from metrabs.data.storage.encoding import NO_MASK
from metrabs.data.storage.example_table import ExampleTable
from metrabs.files import write_text_atomically
from metrabs.visualization.dataset_chart import dataset_figure
from metrabs.visualization.figures import save_figure

# The column that holds the split keeps the name that it has always had.
_CSV_COLUMNS = ("dataset", "phase", "num_examples", "num_joints", "percent_valid", "percent_masks")


class DatasetStatistics(NamedTuple):
    """Counts of the examples of one dataset in one split.

    Attributes:
        dataset: its name, as the examples carry it.
        split: 'train', 'valid' or 'test'.
        num_examples: Number of examples.
        num_joints: Number of joints that any of them has.
        percent_valid: Average percentage of these joints that an example has.
        percent_masks: Percentage of the examples with a person mask.
    """

    dataset: str
    split: str
    num_examples: int
    num_joints: int
    percent_valid: float
    percent_masks: float


def report_statistics(
    dataset: PoseDataset, csv_path: Optional[str] = None, figure_path: Optional[str] = None
) -> list[DatasetStatistics]:
    """Prints the counts of a dataset; writes and plots them where paths are given.

    Args:
        dataset: An opened cache.
        csv_path: Path of a CSV file with all counts.
        figure_path: Path of a figure of the first split that has examples.
    """
    total = sum(len(dataset.split(split)) for split in SPLITS)
    with tqdm(total=total, desc="Counting", unit="example", unit_scale=True) as bar:
        statistics = dataset_statistics(dataset, bar.update)
    print(statistics_table(statistics))
    if csv_path:
        write_text_atomically(csv_path, statistics_csv(statistics))
    if figure_path and statistics:
        drawn = [section for section in statistics if section.split == statistics[0].split]
        names, _, num_examples, num_joints, percent_valid, _ = zip(*drawn)
        title = f"{dataset.name}, {drawn[0].split}: {sum(num_examples):,} examples"
        save_figure(
            dataset_figure(names, num_examples, num_joints, percent_valid, title), figure_path
        )
    return statistics


def dataset_statistics(
    dataset: PoseDataset, on_progress: Optional[Callable[[int], None]] = None
) -> list[DatasetStatistics]:
    """Counts the examples of a dataset that was opened from a cache file, block by block.

    Args:
        dataset: an opened cache.
        on_progress: called with the number of examples counted since.
    """
    result = []
    for split in SPLITS:
        table = dataset.split(split)
        if not len(table):
            continue
        assert isinstance(table, ExampleTable)
        names, _ = dataset_codes(table)
        counts = _Counts(len(names), table.num_joints)
        for rows in table.blocks():
            counts.add(rows)
            if on_progress is not None:
                on_progress(len(rows))
        result += [counts.of(code, name, split) for code, name in enumerate(names)]
    return result


class _Counts:
    """Counts of the examples of one split, by the code of their dataset."""

    def __init__(self, num_datasets: int, num_joints: int) -> None:
        self._examples = np.zeros(num_datasets, np.int64)
        self._masks = np.zeros(num_datasets, np.int64)
        self._joints = np.zeros((num_datasets, num_joints), np.int64)

    def add(self, rows: Rows) -> None:
        """Counts a block."""
        codes = rows.records["dataset"].astype(np.int64)
        num_datasets, num_joints = self._joints.shape
        self._examples += np.bincount(codes, minlength=num_datasets)
        self._masks += np.bincount(
            codes[rows.records["mask_kind"] != NO_MASK], minlength=num_datasets
        )
        for kind in ("world_joints", "image_joints"):
            places = codes[rows.owners(kind)] * num_joints + rows.parts[kind]
            self._joints += np.bincount(places, minlength=self._joints.size).reshape(
                self._joints.shape
            )

    def of(self, code: int, name: str, split: str) -> DatasetStatistics:
        """Returns the counts of a dataset."""
        num_examples = int(self._examples[code])
        num_joints = np.count_nonzero(self._joints[code])
        possible = num_examples * num_joints
        return DatasetStatistics(
            name,
            split,
            num_examples,
            num_joints,
            100 * self._joints[code].sum() / possible if possible else 0.0,
            100 * self._masks[code] / num_examples if num_examples else 0.0,
        )


def statistics_table(statistics: Sequence[DatasetStatistics]) -> str:
    """Returns the counts as a table, with a line of totals per split."""
    header = ("dataset", "split", "examples", "joints", "% valid", "% masks")
    cells: list[tuple[str, ...]] = [header]
    for split in SPLITS:
        sections = [section for section in statistics if section.split == split]
        cells += [_cells(section) for section in sections]
        if len(sections) > 1:
            cells.append(_cells(_total(sections)))
    widths = [max(map(len, column)) for column in zip(*cells)]
    return "\n".join(
        "  ".join([*map(str.ljust, row[:2], widths[:2]), *map(str.rjust, row[2:], widths[2:])])
        for row in cells
    )


def statistics_csv(statistics: Sequence[DatasetStatistics]) -> str:
    """Returns the counts as CSV, without totals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    writer.writerows(statistics)
    return text.getvalue()


def _total(sections: Sequence[DatasetStatistics]) -> DatasetStatistics:
    """Sums up the datasets of a split; their total number of joints is not computed (0)."""
    sizes = np.array([section.num_examples for section in sections])
    possible = sizes * [section.num_joints for section in sections]
    valid = possible @ np.array([section.percent_valid for section in sections])
    masks = sizes @ np.array([section.percent_masks for section in sections])
    return DatasetStatistics(
        f"all {len(sections)}",
        sections[0].split,
        int(sizes.sum()),
        0,
        valid / max(possible.sum(), 1),
        masks / max(sizes.sum(), 1),
    )


def _cells(section: DatasetStatistics) -> tuple[str, ...]:
    return (
        section.dataset,
        section.split,
        f"{section.num_examples:,}",
        str(section.num_joints or ""),
        f"{section.percent_valid:.1f}",
        f"{section.percent_masks:.1f}",
    )
