"""A chart of what a merged dataset is made of (matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from metrabs.visualization.charts import _new_figure, _tidy
from metrabs.visualization.palette import SERIES_COLORS, unit_rgb

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dataset_figure(
    names: Sequence[str],
    num_examples: Sequence[int],
    num_joints: Sequence[int],
    percent_valid: Sequence[float],
    title: str = "",
) -> Figure:
    """Draws, one row per dataset: the examples (logarithmic) and the joints, known and unknown.

    Args:
        names: [n] datasets, from top to bottom.
        num_examples: [n].
        num_joints: [n] joints that the dataset annotates.
        percent_valid: [n] how many percent of them an example has on average.
        title: Title of the figure.
    """
    rows = np.arange(len(names))[::-1]
    figure = _new_figure(9.6, 1.4 + 0.24 * len(names))
    examples_axes, joints_axes = figure.subplots(1, 2, sharey=True)
    bars = examples_axes.barh(rows, num_examples, 0.78, color=unit_rgb(SERIES_COLORS[0]), log=True)
    examples_axes.bar_label(bars, [f"{n:,}" for n in num_examples], padding=3, fontsize=8)
    examples_axes.set_yticks(rows, names)
    examples_axes.set_xlabel("examples")
    # From 1, so that lengths can be compared between figures; with room for the longest number.
    examples_axes.set_xlim(1, 8 * max(num_examples))
    examples_axes.margins(y=0.02)
    known = np.array(num_joints) * np.array(percent_valid) / 100
    joints_axes.barh(rows, num_joints, 0.78, color="0.87", label="annotated by the dataset")
    bars = joints_axes.barh(
        rows, known, 0.78, color=unit_rgb(SERIES_COLORS[2]), label="known per example, mean"
    )
    labels = [f"{n:.1f} of {total}" for n, total in zip(known, num_joints)]
    for row, total, label in zip(rows, num_joints, labels):
        joints_axes.text(total, row, f" {label}", va="center", fontsize=8)
    joints_axes.set_xlabel("joints")
    joints_axes.margins(x=0.22, y=0.02)
    figure.legend(
        *joints_axes.get_legend_handles_labels(),
        frameon=False,
        fontsize=8,
        ncols=2,
        loc="lower right",
    )
    for axes in (examples_axes, joints_axes):
        _tidy(axes)
        axes.grid(axis="y", visible=False)
    if title:
        figure.suptitle(title)
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    return figure
