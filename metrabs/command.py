"""Shared by all commands: parsing flags, reporting errors, exit codes, the data root.

Most commands declare one settings dataclass and do their work in one function; `run_tool` does the
rest. `run_command` is for those whose flags depend on their arguments. `--some-flag` and
`--some_flag` mean the same.

Exit codes: 0 success, 1 invalid input, 2 invalid flags, 130 Ctrl-C; see
docs/reference/exit-codes.md.
"""

from __future__ import annotations

import dataclasses
import errno
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from absl import flags

from metrabs import settings
from metrabs.errors import UserError
from metrabs.folders import DataFolders, is_data_root_given
from metrabs.settings import setting

EXIT_INVALID_INPUT = 1
EXIT_INVALID_FLAGS = 2
EXIT_OUT_OF_MEMORY = 42
EXIT_WORKER_LOST = 75
EXIT_SIGNAL_BASE = 128
EXIT_INTERRUPTED = EXIT_SIGNAL_BASE + signal.SIGINT

DefineFlags = Callable[[flags.FlagValues], None]
_STORAGE_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}
)
Action = Callable[[flags.FlagValues, Sequence[str]], Optional[int]]

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class DataRootSettings:
    """Where all data are."""

    data_root: Optional[str] = setting(
        None, "folder of all data; default: $DATA_ROOT, else metrabs_data in the working folder"
    )

    def folders(self) -> DataFolders:
        """Returns where data are; that no data root is given anywhere is logged."""
        return _logged_folders(self.data_root)


@dataclasses.dataclass(frozen=True)
class DataFolderSettings(DataRootSettings):
    """Where all data and the cache files of datasets are."""

    cache_dir: Optional[str] = setting(
        None, "folder of cache files; default: $CACHE_DIR, else cache in the data root"
    )

    def folders(self) -> DataFolders:
        """Returns where data and cache files are."""
        return _logged_folders(self.data_root, self.cache_dir)


def run_tool(
    usage: Optional[str],
    settings_class: type,
    action: Callable[[Any], Optional[int]],
    arguments: Optional[Sequence[str]] = None,
    positional: str = "",
    aliases: Optional[Mapping[str, str]] = None,
    interrupted: str = "Interrupted; nothing was written.",
) -> int:
    """Runs a command whose settings are one dataclass.

    Args:
        usage: Text of --help above the list of flags.
        settings_class: Dataclass whose fields are declared by `metrabs.settings.setting`. A field
            whose default is None, although its type is not Optional, must be given.
        action: Does the work, given the settings; may return an exit code.
        arguments: Command line without the program's name; default: that of this process.
        positional: Name of the field that takes the positional arguments, a tuple of strings;
            default: there must be none.
        aliases: Earlier spelling of a flag -> its name.
        interrupted: Message after Ctrl-C.

    Returns:
        The exit code, see `run_command`.
    """

    def _define(values: flags.FlagValues) -> None:
        settings.define_flags(values, settings_class, group="command")

    def _run(values: flags.FlagValues, words: Sequence[str]) -> Optional[int]:
        if not positional:
            reject_positional_args(words)
        required(values, *_required_names(settings_class))
        others = {positional: tuple(words)} if positional else {}
        return action(settings.from_flags(values, settings_class, **others))

    return run_command(usage, _define, _run, arguments, interrupted, aliases)


def _required_names(settings_class: type) -> list[str]:
    return [
        field.name
        for field, kind in settings.fields_with_types(settings_class)
        if field.default is None and not settings.is_optional(kind)
    ]


def run_command(
    usage: Optional[str],
    define_flags: DefineFlags,
    action: Action,
    arguments: Optional[Sequence[str]] = None,
    interrupted: str = "Interrupted; nothing was written.",
    aliases: Optional[Mapping[str, str]] = None,
) -> int:
    """Runs a command.

    Args:
        usage: Text of --help above the list of flags.
        define_flags: Declares the flags.
        action: Does the work, given the flags and the positional arguments; may return an exit
            code.
        arguments: Command line without the program's name; default: that of this process.
        interrupted: Message after Ctrl-C.
        aliases: Earlier spelling of a flag -> its name.

    Returns:
        The exit code: 0 success, 1 invalid input, 2 invalid flags, 130 Ctrl-C.
    """
    quiet_tensorflow()
    given = sys.argv[1:] if arguments is None else arguments
    values = flags.FlagValues()

    def _work() -> Optional[int]:
        define_flags(values)
        if asks_for_help(given):
            print(f"{usage}\n{values.get_help()}")
            return 0
        words = values(["command", *(normalized_flag(word, aliases) for word in given)])[1:]
        return action(values, words)

    try:
        return exit_code_of(_work)
    except KeyboardInterrupt:
        return fail(interrupted, EXIT_INTERRUPTED)


def reject_positional_args(words: Sequence[str]) -> None:
    """Checks that there are no positional arguments.

    Raises:
        UserError: there are some.
    """
    if words:
        raise UserError(f"'{words[0]}' is not a flag; flags look like --output=folder.")


def required(values: flags.FlagValues, *names: str) -> list[str]:
    """Returns the values of flags that must be given.

    Raises:
        UserError: one is missing.
    """
    given = [values[name].value for name in names]
    if not all(given):
        raise UserError(f"Give {' and '.join('--' + name for name in names)}; see --help.")
    return [str(value) for value in given]


def define_data_root(values: flags.FlagValues) -> None:
    """Declares the flag `--data_root`."""
    settings.define_flags(values, DataRootSettings)


def data_root_of(values: flags.FlagValues) -> pathlib.Path:
    """Returns the absolute path of the data root that the flags name, or the default data root."""
    return _logged_folders(values.data_root).root


def _logged_folders(root: Optional[str], cache: Optional[str] = None) -> DataFolders:
    folders = DataFolders.at(root, cache)
    if not is_data_root_given(root):
        _logger.info("DATA_ROOT is not set: data and runs are in '%s'.", folders.root)
    return folders


def quiet_tensorflow() -> None:
    """Silences TensorFlow's C++ log output; must be called before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def asks_for_help(arguments: Sequence[str]) -> bool:
    """Returns whether a command line asks for help."""
    return any(argument in ("-h", "--help", "-help") for argument in arguments)


def normalized_flag(argument: str, aliases: Optional[Mapping[str, str]] = None) -> str:
    """Returns an argument with underscores in the flag's name, and with its current name.

    Args:
        argument: One argument, such as '--some-flag=a-b', '--no-x', or a positional one.
        aliases: Earlier spelling of a flag -> its name.
    """
    if not argument.startswith("--"):
        return argument
    name, equals, value = argument[2:].partition("=")
    name = name.replace("-", "_")
    if name.startswith("no_"):
        name = f"no{name[len('no_') :]}"
    return f"--{(aliases or {}).get(name, name)}{equals}{value}"


def exit_code_of(work: Callable[[], Optional[int]]) -> int:
    """Does the work and returns its exit code; reports user errors and full disks in one line."""
    try:
        code = work() or 0
        sys.stdout.flush()
        return code
    except flags.Error as error:
        return fail(str(error), EXIT_INVALID_FLAGS)
    except UserError as error:
        return fail(str(error), EXIT_INVALID_INPUT)
    except BrokenPipeError:  # such as of `--help | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # flushed at exit
        return 0
    except OSError as error:
        if error.errno not in _STORAGE_ERRORS:
            raise
        place = f" at '{os.fsdecode(error.filename)}'" if error.filename else ""
        return fail(
            f"A file cannot be read or written{place}: {error.strerror}. Files that were complete "
            "are unchanged. Free disk space or check the permissions, then run again.",
            EXIT_INVALID_INPUT,
        )


def fail(message: str, code: int) -> int:
    """Prints an error message and returns the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return code
