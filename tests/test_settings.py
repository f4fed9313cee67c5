"""Which values a setting admits."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Optional

import pytest

from metrabs.errors import UserError
from metrabs.settings import checked_value, is_optional, setting, unknown_setting_error, value_type


@dataclasses.dataclass(frozen=True)
class _Settings:
    name: Optional[str] = setting(None, "a text")
    color: str = setting("red", "a choice", choices=("red", "green"))
    share: float = setting(0.5, "a share", at_least=0, at_most=1)
    size: float = setting(1.0, "a size", above=0)
    count: int = setting(1, "a count", at_least=1)
    limit: Optional[int] = setting(None, "a limit", at_least=1)
    is_on: bool = setting(False, "a switch")


_FIELDS = {field.name: field for field in dataclasses.fields(_Settings)}
_KINDS = typing.get_type_hints(_Settings)


def _checked(name: str, value: Any) -> Any:
    return checked_value(_FIELDS[name], _KINDS[name], value)


@pytest.mark.parametrize(
    "name, value",
    [("name", None), ("name", "x"), ("color", "green"), ("share", 0.0), ("share", 1.0),
     ("size", float("inf")), ("count", 1), ("limit", None), ("limit", 3), ("is_on", True)],
)
def test_admitted_values_stay_as_they_are(name: str, value: Any) -> None:
    assert _checked(name, value) == value


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("color", "blue", "one of red, green, not 'blue'"),
        ("color", None, "type str"),
        ("share", -0.1, "at least 0 and at most 1, not -0.1"),
        ("share", 1.1, "at least 0 and at most 1, not 1.1"),
        ("share", float("nan"), "at least 0"),
        ("size", 0, "above 0, not 0"),
        ("count", 0, "at least 1, not 0"),
        ("count", True, "type int"),
        ("count", 1.5, "type int"),
        ("limit", 0, "at least 1"),
        ("is_on", 1, "type bool"),
    ],
)
def test_other_values_are_refused_in_one_line(name: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        _checked(name, value)
    assert f"'{name}'" in str(error.value) and "\n" not in str(error.value)


def test_integers_become_floats_where_these_are_expected() -> None:
    assert isinstance(_checked("share", 1), float)


def test_types_are_looked_at_through_optional() -> None:
    assert value_type(_KINDS["limit"]) is int and is_optional(_KINDS["limit"])
    assert value_type(_KINDS["is_on"]) is bool and not is_optional(_KINDS["is_on"])


def test_unknown_names_are_answered_by_similar_ones() -> None:
    message = str(unknown_setting_error("colour", list(_FIELDS)))
    assert "no setting 'colour'" in message and "Similar ones: color." in message
    assert "Similar" not in str(unknown_setting_error("zzz", list(_FIELDS)))
