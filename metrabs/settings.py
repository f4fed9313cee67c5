"""Settings: dataclass fields with a help text, a type and admissible values, and their flags.

Every command declares its settings as a dataclass whose fields are made by `setting`;
`define_flags` makes flags of them, and `from_flags` makes the dataclass from parsed flags.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, TypeVar

from absl import flags

from metrabs.errors import UserError

_Settings = TypeVar("_Settings")


def setting(
    default: Any,
    help: str,
    unit: str = "",
    choices: Optional[tuple[str, ...]] = None,
    at_least: Optional[float] = None,
    at_most: Optional[float] = None,
    above: Optional[float] = None,
    repeated: bool = False,
    selects: bool = False,
) -> Any:
    """Declares a field of a settings dataclass.

    The field's annotation gives the type: bool, int, float, str, an Optional of these, or a tuple
    of any number of them.

    Args:
        default: Default value.
        help: One sentence for the command-line help.
        unit: Unit of the value, such as 'mm' or 'degrees'.
        choices: Admissible values, if there are only a few.
        at_least, at_most: Smallest and largest admissible number.
        above: Exclusive lower bound.
        repeated: Whether a tuple of strings is given as one flag per item, since items may
            contain commas, instead of as a comma-separated list.
        selects: Whether a dataset converter's setting only chooses which sequences are converted,
            so that finished sequences stay valid when it changes.
    """
    limits = {"at least": at_least, "at most": at_most, "above": above}
    metadata = {
        "help": help,
        "unit": unit,
        "choices": choices,
        "limits": limits,
        "repeated": repeated,
        "selects": selects,
    }
    return dataclasses.field(default=default, metadata=metadata)


def is_optional(kind: Any) -> bool:
    """Returns whether a resolved type admits None."""
    return type(None) in typing.get_args(kind)


def value_type(kind: Any) -> type:
    """Returns str, int, float or bool for a resolved type, looking through Optional and tuple."""
    inner = [arg for arg in typing.get_args(kind) if arg not in (type(None), ...)]
    return value_type(inner[0]) if inner else kind


def is_tuple(kind: Any) -> bool:
    """Returns whether a resolved type is a tuple, or an Optional of one."""
    return typing.get_origin(kind) is tuple or any(map(is_tuple, typing.get_args(kind)))


def fields_with_types(settings_class: type) -> list[tuple[dataclasses.Field[Any], Any]]:
    """Returns the fields of a settings dataclass that are settings, with their resolved types."""
    types = typing.get_type_hints(settings_class)
    return [
        (field, types[field.name])
        for field in dataclasses.fields(settings_class)
        if "help" in field.metadata
    ]


def help_text(field: dataclasses.Field[Any]) -> str:
    """Returns the help text of a setting with its unit, choices and limits."""
    choices = " | ".join(field.metadata["choices"] or ())
    details = "; ".join(filter(None, [field.metadata["unit"], choices, bounds_text(field)]))
    return field.metadata["help"] + (f" [{details}]" if details else "")


def define_flags(
    values: flags.FlagValues,
    settings_class: type,
    group: str = "",
    defaults: Optional[Mapping[str, Any]] = None,
    leave_out: Iterable[str] = (),
) -> None:
    """Declares a flag for each setting of a dataclass.

    Args:
        values: Where to declare them.
        settings_class: Dataclass whose fields are declared by `setting`.
        group: Heading in the help; default: the name of the class.
        defaults: Defaults that differ from those of the class, by name.
        leave_out: Names of settings that do not become flags.
    """
    left_out = set(leave_out)
    for field, kind in fields_with_types(settings_class):
        if field.name not in left_out:
            default = (defaults or {}).get(field.name, field.default)
            define_flag(values, field, kind, default, group or settings_class.__name__)


def define_flag(
    values: flags.FlagValues, field: dataclasses.Field[Any], kind: Any, default: Any, group: str
) -> None:
    """Declares the flag of one setting; see `define_flags`."""
    text = help_text(field)
    module: dict[str, Any] = {"module_name": group}
    if field.metadata["repeated"]:
        flags.DEFINE_multi_string(field.name, list(default or ()), text, values, **module)
    elif is_tuple(kind):
        listed = None if default is None else ",".join(map(str, default))
        flags.DEFINE_list(field.name, listed, text, values, **module)
    elif value_type(kind) is bool:
        flags.DEFINE_bool(field.name, default, text, values, **module)
    else:
        parsers: dict[type, Any] = {
            int: flags.IntegerParser,
            float: flags.FloatParser,
            str: flags.ArgumentParser,
        }
        parser: Any = parsers[value_type(kind)]()
        flags.DEFINE(parser, field.name, default, text, values, **module)


def define_named_flag(
    values: flags.FlagValues, name: str, kind: Any, default: Any, text: str, group: str
) -> None:
    """Declares a flag whose name is only known at run time; see `setting` and `define_flags`."""
    field = setting(default, text)
    field.name = name
    define_flag(values, field, kind, default, group)


def from_flags(
    values: flags.FlagValues, settings_class: type[_Settings], **others: Any
) -> _Settings:
    """Makes a settings dataclass from parsed flags.

    Args:
        values: Parsed flags, declared by `define_flags`.
        settings_class: The dataclass.
        others: Values of fields that are not flags, or that replace those of flags.

    Raises:
        UserError: a value is inadmissible.
    """
    given = {
        field.name: _from_flag(field, kind, values[field.name].value)
        for field, kind in fields_with_types(settings_class)
        if field.name in values and field.name not in others
    }
    settings = settings_class(**given, **others)
    check_settings(settings)
    return settings


def check_settings(settings: Any) -> None:
    """Checks the values of a settings dataclass against their types, choices and limits.

    Raises:
        UserError: a value is inadmissible.
    """
    for field, kind in fields_with_types(type(settings)):
        value = getattr(settings, field.name)
        for item in (value or ()) if is_tuple(kind) else [value]:
            checked_value(field, kind, item)


def _from_flag(field: dataclasses.Field[Any], kind: Any, value: Any) -> Any:
    if not is_tuple(kind) or value is None:
        return value
    item_type = value_type(kind)
    try:
        return tuple(item_type(item) for item in value)
    except ValueError as error:
        raise UserError(
            f"--{field.name} takes {item_type.__name__}s separated by commas, got "
            f"'{','.join(value)}'."
        ) from error


def checked_value(field: dataclasses.Field[Any], kind: Any, value: Any) -> Any:
    """Returns a value of a setting, integers for floats converted.

    Args:
        field: Field declared by `setting`.
        kind: Its resolved type.
        value: The given value.

    Raises:
        UserError: the value is inadmissible.
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
    """Returns the error for an unknown setting; its message suggests close matches.

    Args:
        name: The unknown name.
        known: Names of all settings.
    """
    similar = difflib.get_close_matches(name, known)
    hint = f" Similar ones: {', '.join(similar)}." if similar else ""
    return UserError(
        f"This version has no setting '{name}'.{hint} Rename it or omit it; "
        "`python main.py --help` lists all."
    )


def _check_limits(field: dataclasses.Field[Any], value: Any) -> None:
    is_within = {
        "at least": lambda limit: value >= limit,
        "at most": lambda limit: value <= limit,
        "above": lambda limit: value > limit,
    }
    limits = _given_limits(field)
    if not all(is_within[kind](limit) for kind, limit in limits.items()):  # NaN fails as well
        raise UserError(f"Setting '{field.name}' must be {bounds_text(field)}, not {value}.")


def bounds_text(field: dataclasses.Field[Any]) -> str:
    """Returns the bounds of a setting, such as 'at least 0 and at most 1', or ''."""
    return " and ".join(f"{kind} {limit}" for kind, limit in _given_limits(field).items())


def _given_limits(field: dataclasses.Field[Any]) -> dict[str, float]:
    return {k: v for k, v in field.metadata["limits"].items() if v is not None}
