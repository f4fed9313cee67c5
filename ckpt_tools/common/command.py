"""Running a command whose settings are one dataclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from absl import flags

from metrabs.command import reject_positional_args, required, run_command
from metrabs.settings import define_flags, fields_with_types, from_flags, is_optional


def run_tool(
    usage: Optional[str],
    settings_class: type,
    action: Callable[[Any], None],
    arguments: Optional[Sequence[str]] = None,
    positional: str = "",
    aliases: Optional[Mapping[str, str]] = None,
) -> int:
    """Runs a command.

    Args:
        usage: Text of --help above the list of flags.
        settings_class: Dataclass whose fields are declared by `metrabs.settings.setting`. A field
            whose default is None, though its type is not Optional, must be given.
        action: Function that does the work, given the settings.
        arguments: Command line without the program's name; default: that of this process.
        positional: Name of the field that takes the positional arguments, a tuple of strings;
            default: there must be none.
        aliases: Earlier spelling of a flag -> its name.

    Returns:
        The exit code, see `metrabs.command.run_command`.
    """

    def _define(values: flags.FlagValues) -> None:
        define_flags(values, settings_class, group="command")

    def _run(values: flags.FlagValues, words: Sequence[str]) -> None:
        if not positional:
            reject_positional_args(words)
        required(values, *_required_names(settings_class))
        others = {positional: tuple(words)} if positional else {}
        action(from_flags(values, settings_class, **others))

    return run_command(usage, _define, _run, arguments, aliases=aliases)


def _required_names(settings_class: type) -> list[str]:
    return [
        field.name for field, kind in fields_with_types(settings_class)
        if field.default is None and not is_optional(kind)
    ]
