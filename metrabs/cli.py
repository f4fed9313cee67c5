"""Command-line interface of `main.py`: flags generated from the settings, and three tasks: train,
predict, export.

Every setting of `metrabs.config` is a flag. `--some-flag` and `--some_flag` mean the same, a bool
is `--x`, `--nox` or `--no-x`. `--flagfile=FILE` reads flags from a file, `--file=FILE` reads them
written without the leading dashes.

The built-in datasets synth1, synth3, synth14 and synth28 are made when they are first opened, and
are combined with the 2D dataset synth2d unless another one is given.

Exit codes: 0 success, 1 invalid input, 2 invalid flags; and, if starting the same command again
resumes, 42 out of memory, 75 another worker was lost, 128 + n ended by signal n after saving (130
Ctrl-C, 143 SIGTERM). See docs/reference/exit-codes.md.
"""

from __future__ import annotations

import dataclasses
import logging
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from absl import flags

from metrabs.command import (
    EXIT_OUT_OF_MEMORY,
    EXIT_SIGNAL_BASE,
    EXIT_WORKER_LOST,
    DataFolderSettings,
    asks_for_help,
    exit_code_of,
    fail,
    normalized_flag,
)
from metrabs.config import Config, all_settings
from metrabs.errors import Interrupted, UserError, WorkerLostError
from metrabs.original_flags import OBSOLETE_FLAGS, check_original_flags
from metrabs.settings import define_flag, define_flags, define_named_flag, setting

_ALIASES = {"dataset": "dataset3d"}
# Settings whose values are names, in which hyphens count as underscores, or paths.
_DATASET_NAMES = ("dataset3d", "dataset2d", "model_joints", "output_joints", "bone_length_dataset")
_WITHOUT_TASK = "Nothing to do: give --train, --predict or --export_file=FOLDER; see --help."
_USAGE = """Trains, predicts with and exports crop models. Examples:
  python main.py --train --dataset=huge8 --dataset2d=huge2d_common --training_steps=400000 \\
      --logdir=separate
  python main.py --predict --logdir=separate --dataset=h36m
  python main.py --export_file=model --logdir=separate
Predicting and exporting take all settings that are not given from the checkpoint. Paths of
runs are relative to the folder experiments in the data root, which is --data_root, else
$DATA_ROOT, else metrabs_data in the working folder. --flagfile=FILE reads flags from a file."""


@dataclasses.dataclass(frozen=True)
class Tasks:
    """What `main.py` is to do."""

    train: bool = setting(False, "train a model, or resume its training")
    predict: bool = setting(False, "predict poses with a trained model")
    export_file: Optional[str] = setting(
        None, "write the trained model as a SavedModel to this folder, relative to its checkpoint"
    )


def train(arguments: Sequence[str]) -> int:
    """Runs `metrabs train`; see `main`."""
    return main(["--train", *arguments])


def predict_dataset(arguments: Sequence[str]) -> int:
    """Runs `metrabs predict-dataset`; see `main`. `--output` means `--pred_path`."""
    return main(["--predict", *arguments], {"output": "pred_path"})


def export_crop_model(arguments: Sequence[str]) -> int:
    """Runs `metrabs export-crop-model`; see `main`. `--output` means `--export_file`."""
    return main(arguments, {"output": "export_file"}, "Give --output=FOLDER; see --help.")


def main(
    arguments: Sequence[str],
    aliases: Optional[Mapping[str, str]] = None,
    without_task: str = _WITHOUT_TASK,
) -> int:
    """Runs the command line of `main.py`.

    Args:
        arguments: Command line without the program's name.
        aliases: Other spelling of a flag -> its name.
        without_task: Error message if no task is given.

    Returns:
        The exit code, see the top of this module.
    """

    def work() -> int:
        """Prints the help, or does the tasks."""
        if asks_for_help(arguments):
            print(help_text())
            return 0
        values = parse_flags(arguments, aliases)
        _set_up_logging(values.loglevel)
        return _run_tasks(values, without_task)

    return exit_code_of(work)


def parse_flags(
    arguments: Sequence[str], aliases: Optional[Mapping[str, str]] = None
) -> flags.FlagValues:
    """Parses the arguments of `main.py`.

    Args:
        arguments: Command line without the program's name.
        aliases: Other spelling of a flag -> its name.

    Raises:
        absl.flags.Error: unknown flags or malformed values.
        UserError: a flag file is missing, or there are positional arguments.
    """
    names = {**_ALIASES, **(aliases or {})}
    values = _define_flags()
    program = ["main.py"]
    try:
        arguments = values.read_flags_from_files(program + _expand_files(arguments))[1:]
    except (OSError, flags.CantOpenFlagFileError) as error:
        raise UserError(f"Cannot read a flag file: {error}") from error
    rest = values(program + [normalized_flag(argument, names) for argument in arguments])[1:]
    if rest:
        raise UserError(f"'{rest[0]}' is not a flag; flags look like --training_steps=1000.")
    return values


def given_settings(values: flags.FlagValues) -> dict[str, Any]:
    """Returns the settings given on the command line, by name."""
    return {
        field.name: _with_underscores(field.name, values[field.name].value)
        for _, field, _ in all_settings()
        if values[field.name].present
    }


def _check_original_flags(values: flags.FlagValues) -> None:
    names = [flag.name for flag in OBSOLETE_FLAGS]
    check_original_flags({name: values[name].value for name in names if values[name].present})


def help_text() -> str:
    """Returns the text of `main.py --help`."""
    return f"{_USAGE}\n{_define_flags().get_help()}"


def _run_tasks(values: flags.FlagValues, without_task: str) -> int:
    _check_original_flags(values)
    settings = given_settings(values)
    Config().replace(**settings)  # checks all values before anything is done
    if not (values.train or values.predict or values.export_file):
        raise UserError(without_task)
    from metrabs.synthetic.on_demand import BUILTIN_2D, BUILTIN_3D, offer_builtin_datasets

    if settings.get("dataset3d") in BUILTIN_3D:
        settings.setdefault("dataset2d", BUILTIN_2D)
    folders = DataFolderSettings(values.data_root, values.cache_dir).folders()
    settings["data_root"] = str(folders.root)
    offer_builtin_datasets(settings.get("workers"))
    # TensorFlow takes seconds to load; errors in flags are reported without it.
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    try:
        if values.train:
            _train(settings)
        if values.predict:
            _predict(settings)
        if values.export_file:
            _export(settings, values.export_file)
    except WorkerLostError as error:
        return fail(str(error), EXIT_WORKER_LOST)
    except Interrupted as error:
        return fail(str(error), EXIT_SIGNAL_BASE + error.signal_number)
    except (tf.errors.ResourceExhaustedError, MemoryError):
        return fail(
            "Out of memory. The last checkpoint is intact. Start the same command again to "
            "resume, or use a smaller --batch_size.",
            EXIT_OUT_OF_MEMORY,
        )
    return 0


def _train(settings: dict[str, Any]) -> None:
    from metrabs.training.train import train

    train(Config().replace(**settings))


def _predict(settings: dict[str, Any]) -> None:
    from metrabs.training.prediction import predict

    predict(_with_settings_of_checkpoint(settings))


def _export(settings: dict[str, Any], path: str) -> None:
    from metrabs.training.export import export_crop_model

    export_crop_model(_with_settings_of_checkpoint(settings), path)


def _with_settings_of_checkpoint(settings: dict[str, Any]) -> Config:
    """Completes the given settings by those of the run whose checkpoint they name."""
    from metrabs.models.description import read_config
    from metrabs.training.model_loading import source_checkpoint

    given = Config().replace(**settings)
    trained = read_config(source_checkpoint(given).parent)
    # Paths are those of this call, not those of the run.
    return dataclasses.replace(trained, run=given.run).replace(**settings)


def _define_flags() -> flags.FlagValues:
    values = flags.FlagValues()
    define_flags(values, Tasks, "tasks")
    for group, field, kind in all_settings():
        define_flag(values, field, kind, field.default, group)
    for original in OBSOLETE_FLAGS:
        text = f"flag of the original implementation without effect: {original.reason}"
        define_named_flag(values, original.name, original.kind, original.default, text, "original")
    return values


def _expand_files(arguments: Sequence[str]) -> list[str]:
    """Replaces '--file=FILE' and '--file FILE' by the flags in the file."""
    expanded: list[str] = []
    remaining = list(arguments)
    while remaining:
        argument = remaining.pop(0)
        name, equals, path = argument.partition("=")
        if name != "--file":
            expanded.append(argument)
            continue
        if not equals:
            if not remaining:
                raise UserError("--file needs the path of a file with flags.")
            path = remaining.pop(0)
        expanded.extend(_flags_of_file(path))
    return expanded


def _flags_of_file(path: str) -> list[str]:
    """Reads lines 'name=value', 'name value' or 'name'; '#' starts a comment line."""
    arguments = []
    for line in pathlib.Path(path).read_text().splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            parts = line.split("=", 1) if "=" in line else line.split(None, 1)
            arguments.append("--" + "=".join(part.strip() for part in parts))
    return arguments


def _with_underscores(name: str, value: Any) -> Any:
    is_path = isinstance(value, str) and ("/" in value or value.endswith(".pkl"))
    if name not in _DATASET_NAMES or value is None or is_path:
        return value
    return value.replace("-", "_")


def _set_up_logging(level: str) -> None:
    logging.basicConfig(stream=sys.stderr, format="%(message)s", force=True)
    package_logger = logging.getLogger("metrabs")
    package_logger.setLevel(logging.DEBUG)
    for handler in logging.getLogger().handlers:
        handler.setLevel(getattr(logging, level.upper(), logging.INFO))
