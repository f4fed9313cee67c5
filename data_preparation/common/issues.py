"""Counting what a conversion left out, or kept in spite of missing data, and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

SKIPPED, DEGRADED = "skipped", "degraded"
_NUM_SAMPLES = 3


@dataclasses.dataclass
class Entry:
    """How often something happened, with a few samples."""

    count: int = 0
    samples: list[str] = dataclasses.field(default_factory=list)


class IssueCounter:
    """Counts of issues by (kind, reason).

    The kinds are SKIPPED, for what is left out, and DEGRADED, for what is kept although something
    that should be there is missing, such as a detection or a mask.
    """

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}

    def add(self, kind: str, reason: str, what: str, count: int = 1) -> None:
        """Counts something.

        Args:
            kind: SKIPPED or DEGRADED.
            reason: A few words, the same for everything with the same cause.
            what: What it happened to, such as an image path.
            count: How often it happened.
        """
        entry = self.entries.setdefault((kind, reason), Entry())
        entry.count += int(count)
        if len(entry.samples) < _NUM_SAMPLES:
            entry.samples.append(what)

    def merge(self, other: IssueCounter) -> None:
        """Adds the counts of another counter."""
        for (kind, reason), entry in other.entries.items():
            own = self.entries.setdefault((kind, reason), Entry())
            own.count += entry.count
            own.samples = (own.samples + entry.samples)[:_NUM_SAMPLES]

    def to_json(self) -> list[dict[str, Any]]:
        """Returns the counts as plain values."""
        return [
            {"kind": kind, "reason": reason, "count": entry.count, "samples": entry.samples}
            for (kind, reason), entry in self.entries.items()
        ]

    @staticmethod
    def from_json(rows: Iterable[Mapping[str, Any]]) -> IssueCounter:
        """Returns the counter that `to_json` describes."""
        counter = IssueCounter()
        for row in rows:
            entry = Entry(int(row["count"]), list(row["samples"]))
            counter.entries[row["kind"], row["reason"]] = entry
        return counter

    def table(self) -> str:
        """Returns the counts as a table, the most frequent first; empty if there are none."""
        by_count = sorted(self.entries.items(), key=lambda item: (-item[1].count, item[0]))
        return "\n".join(
            f"{kind:<9}{entry.count:>9}  {reason}, e.g. {entry.samples[0]}"
            for (kind, reason), entry in by_count
        )
