"""The table that every benchmark prints, and its JSON form."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Optional

from metrabs.files import PathLike, write_text_atomically


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One measured number, what it stands beside, and what is asked of it.

    Attributes:
        name: name of the benchmark.
        value: what was measured.
        unit: its unit, such as 'ms' or 'examples/s'.
        limit: what it stands beside: mostly the same of something simpler, measured in the same
            run, such as a bare network; or a fixed number. None if there is no such thing.
        admitted_ratio: the largest admitted value over limit, or the smallest if
            `higher_is_better`; None if the value is only reported.
        higher_is_better: whether larger values are better.
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
        """What is asked of the ratio, such as '<= 1.15'; empty if nothing."""
        if self.admitted_ratio is None:
            return ""
        return f"{'>=' if self.higher_is_better else '<='} {self.admitted_ratio:.3g}"

    @property
    def is_missed(self) -> bool:
        """Whether the ratio is not what is asked for."""
        if self.ratio is None or self.admitted_ratio is None:
            return False
        if self.higher_is_better:
            return self.ratio < self.admitted_ratio
        return self.ratio > self.admitted_ratio

    def to_json(self) -> dict[str, Any]:
        """Returns what the JSON file holds of it."""
        names = ("name", "value", "unit", "limit", "ratio", "admitted_ratio")
        return {name: getattr(self, name) for name in names}


def parse_options(
    arguments: Sequence[str], description: str, **defaults: Any
) -> argparse.Namespace:
    """Parses the command line of a benchmark.

    Args:
        arguments: without the name of the program.
        description: the benchmark's documentation.
        **defaults: options besides `--json`, whose types are those of their defaults.

    Returns:
        The options by name; `json` is a path or None.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", help="also write the results to this file")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=type(default), default=default,
                            help=f"default: {default!r}")
    return parser.parse_args(arguments)


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
