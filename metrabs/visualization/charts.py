"""Charts of numbers: training curves, lines and bars (matplotlib).

Functions return a matplotlib figure for `metrabs.visualization.figures.save_figure`.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

import numpy as np

from metrabs.visualization.palette import SERIES_COLORS, unit_rgb

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARKERS = "osD^vP*X"
_LABEL_LENGTH = 16  # letters in a line below a group of bars


def training_curves_figure(
    records: Sequence[Mapping[str, float]],
    keys: Optional[Sequence[str]] = None,
    x_key: str = "step",
    log_scale: bool = False,
    title: str = "",
) -> Figure:
    """Draws one panel per quantity over the training steps.

    Args:
        records: one dict per logged step, with `x_key` and any of the quantities; a quantity may
            be missing from some of them.
        keys: quantities to draw; default: all except `x_key`, in order of appearance.
        x_key: the quantity along the x axis.
        log_scale: Use logarithmic y axes.
        title: Title of the figure.
    """
    from matplotlib.ticker import MaxNLocator

    all_keys = dict.fromkeys(key for record in records for key in record if key != x_key)
    keys = list(all_keys) if keys is None else list(keys)
    num_columns = min(3, max(1, len(keys)))
    num_rows = max(1, math.ceil(len(keys) / num_columns))
    figure = _new_figure(4.6 * num_columns, 3.1 * num_rows + 0.3 * bool(title))
    for i, key in enumerate(keys):
        axes = figure.add_subplot(num_rows, num_columns, i + 1)
        known = [(r[x_key], r[key]) for r in records if key in r and x_key in r]
        x, y = np.array(known, np.float64).reshape(-1, 2).T
        color = unit_rgb(SERIES_COLORS[i % len(SERIES_COLORS)])
        marker = "o" if len(x) <= 30 else None
        axes.plot(x, y, color=color, linewidth=1.4, marker=marker, markersize=3)
        axes.set_title(key, fontsize=10)
        axes.set_xlabel(x_key)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if log_scale:
            axes.set_yscale("log")
        _tidy(axes)
    if title:
        figure.suptitle(title)
    figure.tight_layout()
    return figure


def line_figure(
    x: Sequence[float],
    series: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str = "",
    log_x: bool = False,
) -> Figure:
    """Draws several series over a common x axis; NaN leaves a gap.

    Args:
        x: [n] positions.
        series: name -> [n] values.
        xlabel, ylabel: with units.
        title: Title of the figure.
        log_x: logarithmic x axis.
    """
    figure = _new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    for i, (name, values) in enumerate(series.items()):
        color = unit_rgb(SERIES_COLORS[i % len(SERIES_COLORS)])
        marker = _MARKERS[i % len(_MARKERS)]
        axes.plot(x, values, color=color, marker=marker, markersize=5, linewidth=1.6, label=name)
    if log_x:
        axes.set_xscale("log")
        axes.set_xticks(x, [f"{position:g}" for position in x])
        axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    _tidy(axes)
    if len(series) > 1:
        axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def bar_figure(
    row_names: Sequence[str],
    columns: Mapping[str, Sequence[float]],
    ylabel: str,
    title: str = "",
    number_format: str = "{:.1f}",
) -> Figure:
    """Draws a table as groups of bars with the numbers on top; NaN leaves a bar out.

    Args:
        row_names: [n] names of the groups.
        columns: name -> [n] values, one bar in each group.
        ylabel: with the unit.
        title: Title of the figure.
        number_format: Format of the numbers on the bars.
    """
    figure = _new_figure(max(6.4, 1.2 + 0.55 * len(row_names) * (len(columns) + 0.6)), 4.4)
    axes = figure.add_subplot()
    bar_width = 0.82 / max(1, len(columns))
    positions = np.arange(len(row_names))
    for i, (name, values) in enumerate(columns.items()):
        heights = np.asarray(values, np.float64)
        color = unit_rgb(SERIES_COLORS[i % len(SERIES_COLORS)])
        offset = (i - (len(columns) - 1) / 2) * bar_width
        bars = axes.bar(positions + offset, heights, 0.92 * bar_width, color=color, label=name)
        labels = ["" if np.isnan(height) else number_format.format(height) for height in heights]
        axes.bar_label(bars, labels, padding=2, fontsize=8)
    axes.set_xticks(positions, [textwrap.fill(name, _LABEL_LENGTH) for name in row_names])
    axes.set(ylabel=ylabel)
    _tidy(axes)
    axes.grid(axis="x", visible=False)
    figure.suptitle(title)
    if len(columns) > 1:  # above the axes, where it hides no bar
        figure.legend(
            frameon=False,
            ncols=len(columns),
            loc="upper center",
            bbox_to_anchor=(0.5, 0.94),
            fontsize=9,
        )
    figure.tight_layout(rect=(0, 0, 1, 0.95 if len(columns) > 1 else 1))
    return figure


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def _tidy(axes: Axes) -> None:
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    spines: Any = axes.spines
    spines[["top", "right"]].set_visible(False)
