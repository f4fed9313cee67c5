from __future__ import annotations

import json

from data_preparation.common.issues import IssueCounter


def counted():
    issues = IssueCounter()
    for i in range(5):
        issues.add("skipped", "too small", f"image {i}")
    issues.add("degraded", "no mask", "crop", count=7)
    return issues


def test_reasons_are_counted_with_a_few_samples():
    entry = counted().entries["skipped", "too small"]
    assert entry.count == 5 and entry.samples == ["image 0", "image 1", "image 2"]


def test_merging_adds_counts_and_does_not_change_the_other_counter():
    total, other = counted(), counted()
    total.merge(other)
    total.merge(IssueCounter())
    assert total.entries["skipped", "too small"].count == 10
    assert total.entries["degraded", "no mask"].count == 14
    assert other.entries["skipped", "too small"].count == 5


def test_counts_survive_json():
    again = IssueCounter.from_json(json.loads(json.dumps(counted().to_json())))
    assert again.entries == counted().entries


def test_the_table_begins_with_the_most_frequent_reason():
    lines = counted().table().splitlines()
    assert [line.split()[:2] for line in lines] == [["degraded", "7"], ["skipped", "5"]]
    assert lines[1].endswith("too small, e.g. image 0")
