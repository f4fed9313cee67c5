"""Charts: what they draw from records and tables."""

from __future__ import annotations

import numpy as np

from metrabs.visualization import charts
from metrabs.visualization.figures import save_figure


def test_training_curves_have_a_panel_for_each_quantity():
    records = [dict(step=0, loss=3.0, lr=1e-3), dict(step=10, loss=2.0), dict(step=20, mpjpe=90)]
    figure = charts.training_curves_figure(records, title="run")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "lr", "mpjpe"]
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_xydata(), [[0, 3], [10, 2]])
    chosen = charts.training_curves_figure(records, ["loss"], log_scale=True)
    assert len(chosen.axes) == 1 and chosen.axes[0].get_yscale() == "log"


def test_training_curves_of_nothing_are_an_empty_figure(tmp_path):
    save_figure(charts.training_curves_figure([]), tmp_path / "empty.png")


def test_line_figure_draws_each_series(tmp_path):
    series = {"a": [1, 2, np.nan], "b": [3, 2, 1]}
    figure = charts.line_figure([8, 16, 32], series, "latents", "error [mm]", log_x=True)
    axes = figure.axes[0]
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["8", "16", "32"]
    save_figure(figure, tmp_path / "lines.svg")


def test_bar_figure_writes_the_numbers_on_the_bars():
    figure = charts.bar_figure(["x", "y"], {"a": [1.25, 2], "b": [np.nan, 3]}, "error [mm]")
    axes = figure.axes[0]
    assert len(axes.patches) == 4
    assert [text.get_text() for text in axes.texts] == ["1.2", "2.0", "", "3.0"]


def test_the_legend_of_bars_hides_none_of_them(tmp_path):
    columns = {f"quite a long name of column {i}": [400.0, 30] for i in range(3)}
    figure = charts.bar_figure(["x", "y"], columns, "error [mm]", title="title")
    save_figure(figure, tmp_path / "bars.png")  # computes the layout
    legend = figure.legends[0].get_window_extent()
    assert legend.y0 >= figure.axes[0].get_window_extent().y1
