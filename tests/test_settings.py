"""Which values a setting admits, and how settings become flags."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Optional

import pytest
from absl import flags

from metrabs.errors import UserError
from metrabs.settings import (
    check_settings,
    checked_value,
    define_flags,
    from_flags,
    is_optional,
    setting,
    unknown_setting_error,
    value_type,
)


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
    [
        ("name", None),
        ("name", "x"),
        ("color", "green"),
        ("share", 0.0),
        ("share", 1.0),
        ("size", float("inf")),
        ("count", 1),
        ("limit", None),
        ("limit", 3),
        ("is_on", True),
    ],
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


@dataclasses.dataclass(frozen=True)
class _CommandSettings:
    """Settings of a command."""

    data: Any = None  # not a setting
    output: Optional[str] = setting(None, "the output")
    numbers: tuple[int, ...] = setting((1, 2), "some numbers", at_least=0)
    limits: Optional[tuple[float, ...]] = setting(None, "some limits", unit="mm")
    photo: tuple[str, ...] = setting((), "a photo", repeated=True)
    side: float = setting(2.0, "a side", unit="m", above=0)
    color: str = setting("red", "a colour", choices=("red", "green"))
    steps: int = setting(3, "some steps")
    progress: bool = setting(True, "shows a bar")


def _parsed(*arguments: str, **others: Any) -> _CommandSettings:
    values = flags.FlagValues()
    define_flags(values, _CommandSettings)
    values(["command", *arguments])
    return from_flags(values, _CommandSettings, **others)


def test_flags_have_the_defaults_of_the_settings() -> None:
    assert _parsed() == _CommandSettings()


def test_flags_of_all_types_become_settings() -> None:
    settings = _parsed(
        "--output=a", "--numbers=3,4", "--limits=1,2.5", "--photo=a,b.jpg", "--photo=c.jpg",
        "--side=1", "--color=green", "--steps=5", "--noprogress",
    )  # fmt: skip
    assert settings == _CommandSettings(
        None, "a", (3, 4), (1.0, 2.5), ("a,b.jpg", "c.jpg"), 1.0, "green", 5, False
    )


def test_values_that_are_not_flags_are_given_by_name() -> None:
    assert _parsed("--steps=5", data=[1], steps=6) == _CommandSettings([1], steps=6)


def test_a_command_can_change_defaults_and_leave_out_settings() -> None:
    values = flags.FlagValues()
    define_flags(values, _CommandSettings, defaults={"steps": 7}, leave_out=["progress"])
    assert "progress" not in values
    values(["command"])
    assert from_flags(values, _CommandSettings) == _CommandSettings(steps=7)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--numbers=1,-2", "'numbers' must be at least 0, not -2"),
        ("--numbers=1,x", "--numbers takes ints separated by commas, got '1,x'"),
        ("--side=0", "'side' must be above 0"),
        ("--color=blue", "one of red, green, not 'blue'"),
    ],
)
def test_flags_with_other_values_are_refused(argument: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        _parsed(argument)


def test_settings_made_in_code_are_checked_likewise() -> None:
    check_settings(_CommandSettings())
    with pytest.raises(UserError, match="'numbers' must be at least 0"):
        check_settings(_CommandSettings(numbers=(-1,)))


def test_help_of_flags_states_unit_choices_and_limits() -> None:
    values = flags.FlagValues()
    define_flags(values, _CommandSettings, group="the command")
    text = values.get_help()
    assert "the command:" in text
    for part in ("a side [m; above 0]", "a colour [red | green]", "some limits [mm]"):
        assert part in text
