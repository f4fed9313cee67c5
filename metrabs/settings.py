"""What a setting is: a dataclass field with a help text, a type and admitted values."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Sequence
from typing import Any, Optional

from metrabs.errors import UserError


def setting(
    default: Any,
    help: str,
    unit: str = "",
    choices: Optional[tuple[str, ...]] = None,
    at_least: Optional[float] = None,
    at_most: Optional[float] = None,
    above: Optional[float] = None,
) -> Any:
    """Declares a field of a settings dataclass.

    Args:
        default: the default value.
        help: one sentence for the command line help.
        unit: the unit of the value, such as 'mm' or 'degrees'.
        choices: the admitted values, where there are only a few.
        at_least, at_most: the smallest and the largest admitted number.
        above: a number that all admitted ones exceed.
    """
    limits = {"at least": at_least, "at most": at_most, "above": above}
    metadata = {"help": help, "unit": unit, "choices": choices, "limits": limits}
    return dataclasses.field(default=default, metadata=metadata)


def is_optional(kind: Any) -> bool:
    """Tells whether a resolved type admits None."""
    return type(None) in typing.get_args(kind)


def value_type(kind: Any) -> type:
    """Returns str, int, float or bool for a resolved type, looking through Optional."""
    inner = [arg for arg in typing.get_args(kind) if arg is not type(None)]
    return inner[0] if inner else kind


def checked_value(field: dataclasses.Field[Any], kind: Any, value: Any) -> Any:
    """Returns a value of a setting, integers for floats converted.

    Args:
        field: declared by `setting`.
        kind: its resolved type.
        value: what was given.

    Raises:
        UserError: the value is not admitted.
    """
    if value is None and is_optional(kind):
        return None
    expected = value_type(kind)
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise UserError(
            f"Setting '{field.name}' must be of type {expected.__name__}, not {value!r}."
        )
    choices = field.metadata["choices"]
    if choices and value not in choices:
        raise UserError(
            f"Setting '{field.name}' must be one of {', '.join(choices)}, not '{value}'."
        )
    _check_limits(field, value)
    return value


def unknown_setting_error(name: str, known: Sequence[str]) -> UserError:
    """Builds the error for a name that is no setting; of the many settings, it tells similar ones.

    Args:
        name: what was given.
        known: the names of all settings.
    """
    similar = difflib.get_close_matches(name, known)
    hint = f" Similar ones: {', '.join(similar)}." if similar else ""
    return UserError(
        f"This version has no setting '{name}'.{hint} Rename it or leave it out; "
        "`python main.py --help` lists all."
    )


def _check_limits(field: dataclasses.Field[Any], value: Any) -> None:
    is_within = {
        "at least": lambda limit: value >= limit,
        "at most": lambda limit: value <= limit,
        "above": lambda limit: value > limit,
    }
    limits = _given_limits(field)
    if not all(is_within[kind](limit) for kind, limit in limits.items()):  # NaN fails, too
        raise UserError(f"Setting '{field.name}' must be {bounds_text(field)}, not {value}.")


def bounds_text(field: dataclasses.Field[Any]) -> str:
    """Returns which numbers a setting admits, such as 'at least 0 and at most 1', or ''."""
    return " and ".join(f"{kind} {limit}" for kind, limit in _given_limits(field).items())


def _given_limits(field: dataclasses.Field[Any]) -> dict[str, float]:
    return {k: v for k, v in field.metadata["limits"].items() if v is not None}
