"""What all benchmarks share: the command line, the table of results, and its JSON form."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any, Optional

from absl import flags

from metrabs.command import reject_positional_args, run_command
from metrabs.files import PathLike, write_text_atomically
from metrabs.settings import define_flags, from_flags, setting


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One measured value, its reference, and the target for their ratio.

    Attributes:
        name: Name of the benchmark.
        value: The measured value.
        unit: Unit of the value, such as 'ms' or 'examples/s'.
        limit: Reference value: a fixed number, or the measurement of something simpler in the same
            run, such as a bare network. None if there is no reference.
        admitted_ratio: The largest admitted ratio of value to limit, or the smallest if
            `higher_is_better`; None if there is no target.
        higher_is_better: Whether larger values are better.
    """

    name: str
    value: float
    unit: str
    limit: Optional[float] = None
    admitted_ratio: Optional[float] = None
    higher_is_better: bool = False

    @property
    def ratio(self) -> Optional[float]:
        """Value over limit."""
        return None if self.limit is None else self.value / self.limit

    @property
    def target(self) -> str:
        """The target for the ratio, such as '<= 1.15'; empty if there is none."""
        if self.admitted_ratio is None:
            return ""
        return f"{'>=' if self.higher_is_better else '<='} {self.admitted_ratio:.3g}"

    @property
    def is_missed(self) -> bool:
        """Whether the ratio misses the target."""
        if self.ratio is None or self.admitted_ratio is None:
            return False
        if self.higher_is_better:
            return self.ratio < self.admitted_ratio
        return self.ratio > self.admitted_ratio

    def to_json(self) -> dict[str, Any]:
        """Returns the measurement as a row of the JSON file."""
        names = ("name", "value", "unit", "limit", "ratio", "admitted_ratio")
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class BenchmarkSettings:
    """Settings of all benchmarks."""

    json: Optional[str] = setting(None, "file for the results, in addition to the printed table")


def run_benchmark(
    usage: Optional[str],
    benchmark: Callable[[Any], Sequence[Measurement]],
    arguments: Optional[Sequence[str]] = None,
    settings_class: type[BenchmarkSettings] = BenchmarkSettings,
) -> int:
    """Runs a benchmark as a command and reports its measurements.

    Args:
        usage: Text of --help above the list of flags.
        benchmark: Measures, given the settings.
        arguments: Command line without the program's name; default: that of this process.
        settings_class: Class of the settings.

    Returns:
        The exit code, see `metrabs.command.run_command`.
    """

    def _define(values: flags.FlagValues) -> None:
        define_flags(values, settings_class, group="benchmark")

    def _run(values: flags.FlagValues, words: Sequence[str]) -> None:
        reject_positional_args(words)
        settings = from_flags(values, settings_class)
        report(benchmark(settings), settings.json)

    return run_command(usage, _define, _run, arguments)


def report(measurements: Sequence[Measurement], json_path: Optional[PathLike] = None) -> None:
    """Prints a table of measurements and, if a path is given, writes them there as JSON."""
    print(f"{'benchmark':<44}{'value':>11} {'unit':<12}{'limit':>9}{'ratio':>8}  target")
    for m in measurements:
        limit = "" if m.limit is None else f"{m.limit:.4g}"
        ratio = "" if m.ratio is None else f"{m.ratio:.3g}"
        line = f"{m.name:<44}{m.value:>11.4g} {m.unit:<12}{limit:>9}{ratio:>8}  {m.target:<9}"
        print(f"{line}{'MISSED' if m.is_missed else ''}".rstrip())
    if json_path is not None:
        rows = [m.to_json() for m in measurements]
        write_text_atomically(json_path, json.dumps(rows, indent=2))
