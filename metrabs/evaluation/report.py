"""Reports of results, as plain text, Markdown, CSV or LaTeX; every number names its protocol.

`BenchmarkReport` holds all numbers of one model on one benchmark. `ResultTable` compares models
in the layout of the WACV 2023 poster: one row per model, one group of columns per benchmark.
"""

from __future__ import annotations

import abc
import csv
import dataclasses
import io
import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional

from metrabs.errors import UserError, unknown_name_error
from metrabs.files import PathLike, write_text_atomically

_ARROWS = {"lower": "↓", "higher": "↑"}
_GAP = "  "  # between columns of a text table
_NOTE_WIDTH = 99
_CSV_HEADER = ("model", "benchmark", "metric", "unit", "better", "value", "protocol")
_BENCHMARK_CSV_HEADER = ("benchmark", "metric", "value", "unit", "protocol")
# How the names of metrics in percent begin.
_PERCENTAGES = ("PCK", "AUC", "CPS", "NCPS", "APCK", "MinorPCK", "pck", "auc", "recall")


class Report(abc.ABC):
    """Results that can be written in several formats."""

    @abc.abstractmethod
    def to_text(self) -> str:
        """Returns the results as a terminal shows them, with their protocols."""

    @abc.abstractmethod
    def to_markdown(self) -> str:
        """Returns the results as Markdown, with their protocols."""

    @abc.abstractmethod
    def to_csv(self) -> str:
        """Returns one line per number, with full precision and its protocol."""

    @abc.abstractmethod
    def to_latex(self) -> str:
        """Returns rows of a LaTeX table, with headings and protocols as comments."""

    def write(self, path: PathLike) -> None:
        """Writes the results in the format given by the suffix: .txt, .md, .csv or .tex.

        Raises:
            UserError: the suffix is another one.
        """
        writers = {
            "txt": self.to_text,
            "md": self.to_markdown,
            "csv": self.to_csv,
            "tex": self.to_latex,
        }
        suffix = str(path).rpartition(".")[2]
        if suffix not in writers:
            raise unknown_name_error("table format", suffix, writers)
        write_text_atomically(path, writers[suffix]())


@dataclasses.dataclass(frozen=True)
class MetricGroup:
    """Numbers of one protocol.

    Attributes:
        title: Name of the group, such as 'WACV 2023'.
        protocol: All that determines the numbers: images, boxes, joints, root, alignment.
        numbers: Values by name, in order; NaN stands for an unknown number.
        percent_metrics: Names of metrics in percent, in addition to those that are named after a
            percentage (PCK, AUC, CPS ...); all others are in mm.
    """

    title: str
    protocol: str
    numbers: Mapping[str, float]
    percent_metrics: Sequence[str] = ()

    def unit(self, name: str) -> str:
        """Returns '%' or 'mm'."""
        is_percentage = name.startswith(_PERCENTAGES) or name in self.percent_metrics
        return "%" if is_percentage else "mm"


@dataclasses.dataclass(frozen=True)
class BenchmarkReport(Report):
    """All numbers of one model on one benchmark.

    Attributes:
        benchmark: Name of the benchmark, such as 'h36m'.
        groups: Numbers by protocol.
        decimals: Digits after the decimal point, except in CSV.
    """

    benchmark: str
    groups: Sequence[MetricGroup]
    decimals: int = 1

    def to_text(self) -> str:
        """Returns one line per number with its unit, the protocol below each group."""
        lines = []
        for group in self.groups:
            width = max(map(len, group.numbers))
            lines += [group.title, "-" * len(group.title)]
            lines += [
                f"{name.ljust(width)}  {_format(value, self.decimals):>8} {group.unit(name)}"
                for name, value in group.numbers.items()
            ]
            lines += [f"({group.protocol})", ""]
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """Returns one table per group, with its protocol below."""
        lines = []
        for group in self.groups:
            lines += [f"**{group.title}**", "", "| metric | value |", "| --- | ---: |"]
            lines += [
                f"| {name} | {_format(value, self.decimals)} {group.unit(name)} |"
                for name, value in group.numbers.items()
            ]
            lines += ["", group.protocol, ""]
        return "\n".join(lines)

    def to_csv(self) -> str:
        """Returns one line per number, with full precision and its protocol."""
        return _csv(
            _BENCHMARK_CSV_HEADER,
            (
                (
                    self.benchmark,
                    f"{group.title}: {name}",
                    _exact(value),
                    group.unit(name),
                    group.protocol,
                )
                for group in self.groups
                for name, value in group.numbers.items()
            ),
        )

    def to_latex(self) -> str:
        """Returns for each group a comment with the names and a row of numbers, as in the original
        implementation.
        """
        lines = []
        for group in self.groups:
            cells = [_format(value, self.decimals) for value in group.numbers.values()]
            lines += [
                f"% {group.title} ({group.protocol})",
                f"% {' & '.join(group.numbers)}",
                _latex_row(cells),
            ]
        return "\n".join(lines) + "\n"


@dataclasses.dataclass(frozen=True)
class Column:
    """One metric on one benchmark.

    Attributes:
        benchmark: Name of the benchmark, such as 'Human3.6M'.
        metric: Name of the metric, such as 'MPJPE'.
        unit: Unit of the values, such as 'mm' or '%'.
        better: Which values are better, 'lower' or 'higher'.
        protocol: All that determines the number: images, boxes, joints, root, alignment.
    """

    benchmark: str
    metric: str
    unit: str
    better: str
    protocol: str

    def __post_init__(self) -> None:
        if self.better not in _ARROWS:
            raise unknown_name_error("direction of a metric", self.better, _ARROWS)
        if not self.protocol.strip():
            raise UserError(
                f"The column {self.benchmark} {self.metric} needs its protocol: numbers without "
                "one cannot be compared."
            )

    @property
    def heading(self) -> str:
        """Metric, unit and which direction is better."""
        return f"{self.metric} [{self.unit}] {_ARROWS[self.better]}"


class ResultTable(Report):
    """Numbers of several models in the same columns."""

    def __init__(self, title: str, columns: Iterable[Column], decimals: int = 1) -> None:
        """Creates an empty table.

        Args:
            title: Line above the table.
            columns: Metrics, with those of one benchmark next to each other.
            decimals: Digits after the decimal point, except in CSV.
        """
        self.title = title
        self.columns = list(columns)
        self.decimals = decimals
        self.rows: list[tuple[str, list[float]]] = []

    def add_row(self, model: str, values: Sequence[float]) -> None:
        """Adds a model; NaN stands for an unknown number.

        Raises:
            UserError: there are more or fewer values than columns.
        """
        if len(values) != len(self.columns):
            raise UserError(
                f"Row '{model}' has {len(values)} values for {len(self.columns)} columns."
            )
        self.rows.append((model, [float(value) for value in values]))

    def to_text(self) -> str:
        """Returns the table for a terminal, with the protocols below; * marks the best."""
        _, _, *body = self._cells("*{}", "{}")
        marks = {protocol: mark for mark, protocol in self._marked_protocols()}
        # In three lines, so that a table of one or two benchmarks fits into a terminal.
        headings = [
            ["model", *(column.metric for column in self.columns)],
            ["", *(f"[{column.unit}] {_ARROWS[column.better]}" for column in self.columns)],
            ["", *(f"({marks[column.protocol]})" for column in self.columns)],
        ]
        widths = [max(map(len, column)) for column in zip(*headings, *body)]
        benchmarks = self._spanning_benchmarks(widths)
        lines = [
            _GAP.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in [*headings, *body]
        ]
        rule = "-" * max(map(len, [benchmarks, *lines]))
        notes = [
            textwrap.fill(note, _NOTE_WIDTH, subsequent_indent=" " * 4) for note in self._notes()
        ]
        head, numbers = lines[: len(headings)], lines[len(headings) :]
        return "\n".join([self.title, "", benchmarks, *head, rule, *numbers, "", *notes]) + "\n"

    def to_markdown(self) -> str:
        """Returns the table as Markdown, with the protocols below; the best are bold."""
        _, (_, *headings), *body = self._cells("**{}**", "{}")
        joined = [f"{c.benchmark} {heading}" for c, heading in zip(self.columns, headings)]
        rows = [["model", *joined], ["---", *["---:"] * len(joined)], *body]
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        notes = [f"- {note}" for note in self._notes()]
        return "\n".join([f"**{self.title}**", "", *lines, "", *notes]) + "\n"

    def to_csv(self) -> str:
        """Returns one line per number, with full precision and its protocol."""
        return _csv(
            _CSV_HEADER,
            (
                (
                    model,
                    column.benchmark,
                    column.metric,
                    column.unit,
                    column.better,
                    _exact(value),
                    column.protocol,
                )
                for model, values in self.rows
                for column, value in zip(self.columns, values)
            ),
        )

    def to_latex(self) -> str:
        """Returns a row per model; title, headings and protocols are comments."""
        headings = [f"{column.benchmark} {column.metric}" for column in self.columns]
        comments = [self.title, " & ".join(["model", *headings]), *self._notes()]
        rows = [
            _latex_row([model, *(self._format(value) for value in values)])
            for model, values in self.rows
        ]
        return "\n".join([*(f"% {comment}" for comment in comments), *rows]) + "\n"

    def _cells(self, best_style: str, other_style: str) -> list[list[str]]:
        """Returns two rows of headings and the rows of numbers, as strings."""
        marks = {protocol: mark for mark, protocol in self._marked_protocols()}
        benchmarks = [""]
        for previous, column in zip([None, *self.columns], self.columns):
            is_new = previous is None or previous.benchmark != column.benchmark
            benchmarks.append(column.benchmark if is_new else "")
        headings = ["model", *(f"{c.heading} ({marks[c.protocol]})" for c in self.columns)]
        best = [self._best(index) for index in range(len(self.columns))]
        body = [
            [
                model,
                *(
                    self._cell(value, best[i], best_style, other_style)
                    for i, value in enumerate(values)
                ),
            ]
            for model, values in self.rows
        ]
        return [benchmarks, headings, *body]

    def _spanning_benchmarks(self, widths: list[int]) -> str:
        """Returns the line of benchmark names, each above all of its columns.

        Args:
            widths: Of all columns, that of the models first; columns below a long name are
                widened, in place.
        """
        line = " " * widths[0]
        columns = list(enumerate(self.columns, start=1))
        for name, group in itertools.groupby(columns, key=lambda item: item[1].benchmark):
            indices = [index for index, _ in group]
            span = sum(widths[index] for index in indices) + len(_GAP) * (len(indices) - 1)
            widths[indices[0]] += max(0, len(name) - span)
            line += _GAP + name.rjust(max(span, len(name)))
        return line.rstrip()

    def _cell(self, value: float, best: Optional[str], best_style: str, other_style: str) -> str:
        text = self._format(value)
        return (best_style if text == best else other_style).format(text)

    def _format(self, value: float) -> str:
        return _format(value, self.decimals)

    def _best(self, index: int) -> Optional[str]:
        """Returns the best number of a column as printed; None for a single row."""
        values = [values[index] for _, values in self.rows if not math.isnan(values[index])]
        if len(values) < 2:
            return None
        return self._format(min(values) if self.columns[index].better == "lower" else max(values))

    def _marked_protocols(self) -> list[tuple[str, str]]:
        """Returns the distinct protocols with their marks: (a, first), (b, second) ..."""
        protocols = list(dict.fromkeys(column.protocol for column in self.columns))
        return [(_letters(i), protocol) for i, protocol in enumerate(protocols)]

    def _notes(self) -> list[str]:
        return [f"({mark}) {protocol}" for mark, protocol in self._marked_protocols()]


def _letters(index: int) -> str:
    """Counts a, b, ..., z, aa, ab, ..."""
    letters = ""
    while index >= 0:
        letters = chr(ord("a") + index % 26) + letters
        index = index // 26 - 1
    return letters


def _format(value: float, decimals: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{decimals}f}"


def _exact(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def _csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def _latex_row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
