"""Finished work is recognised by the fingerprint of what it depends on."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.resumable import (
    check_same_settings,
    content_identity,
    fingerprint,
    read_marker,
    settings_changes,
    write_marker,
    write_settings,
)


@dataclasses.dataclass
class _Settings:
    steps: int = 3
    sizes: tuple[int, ...] = (1, 2)


@dataclasses.dataclass
class _OtherSettings:
    steps: int = 3
    sizes: tuple[int, ...] = (1, 2)


def test_fingerprints_stay_the_same_between_versions_of_this_code() -> None:
    assert fingerprint("stage", {"b": 1, "a": [2.5, None]}, []) == "a51b1f1f7cfbae86"


@pytest.mark.parametrize(
    "same",
    [
        ([1, 2], (1, 2)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (_Settings(), _Settings()),
        (pathlib.Path("a/b"), "a/b"),
        (np.arange(3), np.arange(3)),
    ],
)
def test_equal_values_have_equal_fingerprints(same: tuple[Any, Any]) -> None:
    assert fingerprint(same[0]) == fingerprint(same[1])


@pytest.mark.parametrize(
    "different",
    [
        ([1, 2], [2, 1]),
        ([1, 2], [[1], 2]),
        ("1", 1),
        (_Settings(), _Settings(4)),
        (_Settings(), _OtherSettings()),
        ([_Settings()], [_Settings(sizes=(1,))]),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2, np.int64), np.zeros(2)),
        (np.arange(3), np.arange(1, 4)),
    ],
)
def test_different_values_have_different_fingerprints(different: tuple[Any, Any]) -> None:
    assert fingerprint(different[0]) != fingerprint(different[1])


def test_strided_arrays_count_by_their_content() -> None:
    array = np.arange(12).reshape(3, 4)
    assert fingerprint(array[:, ::2]) == fingerprint(array[:, ::2].copy())


def test_objects_without_stable_content_are_rejected() -> None:
    with pytest.raises(TypeError, match="object has no fingerprint"):
        fingerprint({"a": object()})


def test_markers_return_their_details_for_the_same_fingerprint_only(
    tmp_path: pathlib.Path,
) -> None:
    marker = tmp_path / "new_folder" / "complete.json"
    assert read_marker(marker, "abc") is None
    write_marker(marker, "abc", seconds=1.5)
    assert read_marker(marker, "abc") == {"fingerprint": "abc", "seconds": 1.5}
    assert read_marker(marker, "abd") is None


@pytest.mark.parametrize("content", ["", '{"fingerprint": "abc"', "[]", "\xff"])
def test_damaged_markers_mean_incomplete_work(tmp_path: pathlib.Path, content: str) -> None:
    (tmp_path / "complete.json").write_bytes(content.encode("latin-1"))
    assert read_marker(tmp_path / "complete.json", "abc") is None


def test_changes_name_earlier_and_present_values() -> None:
    changes = settings_changes({"a": 1, "b": (2, 3), "c": None}, {"a": 2, "b": [2, 3], "d": True})
    assert changes == [
        "a was 1, is 2",
        "c was None, is not recorded",
        "d was not recorded, is True",
    ]


def test_results_of_other_settings_are_rejected_with_the_difference_and_a_remedy(
    tmp_path: pathlib.Path,
) -> None:
    record = tmp_path / "settings.json"
    check_same_settings(record, {"fov": 55}, "Delete it.")  # no results yet
    write_settings(record, {"fov": 55, "size": (1, 2)})
    check_same_settings(record, {"fov": 55, "size": (1, 2)}, "Delete it.")
    with pytest.raises(UserError, match=r"other settings \(fov was 55, is 60\). Delete it."):
        check_same_settings(record, {"fov": 60, "size": (1, 2)}, "Delete it.")
    record.write_text("{")
    with pytest.raises(UserError, match="record is damaged"):
        check_same_settings(record, {"fov": 55}, "Delete it.")


def test_identity_of_content_changes_with_the_content(tmp_path: pathlib.Path) -> None:
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    seen = {content_identity(str(model))}
    for file in ("saved_model.pb", "variables/variables.index"):
        for content in ("one", "two"):
            (model / file).write_text(content)
            seen.add(content_identity(str(model)))
    assert len(seen) == 5
    assert all(identity.startswith(str(model)) for identity in seen)
    assert content_identity(str(model / "saved_model.pb")) == content_identity(
        str(model / "saved_model.pb")
    )
    assert content_identity("metrabs_s") == "metrabs_s"
