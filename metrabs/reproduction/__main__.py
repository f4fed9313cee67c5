"""Reproduces the method end to end: data, three training steps, evaluation, export, examples.

    python reproduce.py --flagfile=flags/mini/demo.flags [--photo=FILE]

This is what `make demo` runs. Every stage is resumable: a second call continues where the first
one stopped, or ends at once.
"""

from __future__ import annotations

import dataclasses
import logging
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from absl import flags

from metrabs import settings
from metrabs.cli import given_settings, parse_flags
from metrabs.command import reject_positional_args, run_command
from metrabs.config import Config
from metrabs.errors import Interrupted, UserError, unknown_name_error
from metrabs.reproduction.pipeline import ReproductionPipeline
from metrabs.reproduction.recipe import MODELS, SEPARATE, Recipe
from metrabs.reproduction.stages import run_stages


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: Command line without the program's name; default: that of this process.
    """
    return run_command(
        __doc__, define_flags, reproduce, arguments,
        interrupted="Interrupted. The same command continues from here.",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ReproductionSettings:
    """Where the results go, and what the model is tried on."""

    output: str = settings.setting("demo_output", "folder of all results")
    photo: tuple[str, ...] = settings.setting(
        (), "photograph to run the export on; may be repeated", repeated=True
    )


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    settings.define_flags(values, ReproductionSettings)
    for name, kind in MODELS.items():
        text = f"flag file of the model '{kind.title}'"
        settings.define_named_flag(values, name, str, None, text, "models")
    flags.mark_flag_as_required(SEPARATE, flag_values=values)
    settings.define_flags(values, Recipe)


def reproduce(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags.

    Raises:
        UserError: a flag cannot be used.
        KeyboardInterrupt: a signal ended the work.
    """
    reject_positional_args(words)
    _quiet_logs()
    recipe = recipe_of(values)
    recipe.output.mkdir(parents=True, exist_ok=True)
    try:
        has_run = run_stages(ReproductionPipeline(recipe).stages(), recipe.output)
    except Interrupted as error:
        raise KeyboardInterrupt from error
    _print_results(recipe, has_run)


def recipe_of(values: flags.FlagValues) -> Recipe:
    """Returns the recipe that the flags describe.

    Raises:
        UserError: a flag cannot be used.
    """
    models = {
        name: Config().replace(**given_settings(parse_flags([f"--flagfile={values[name].value}"])))
        for name in MODELS
        if values[name].value
    }
    if values.exported is not None and values.exported not in models:
        raise unknown_name_error("trained model to export", values.exported, models)
    photos = [pathlib.Path(photo).absolute() for photo in values.photo if photo]
    for photo in photos:
        if not photo.is_file():
            raise UserError(f"There is no photo '{photo}'. Give the path of a JPEG or PNG file.")
    output = pathlib.Path(values.output).absolute()
    return settings.from_flags(values, Recipe, output=output, models=models, photos=tuple(photos))


def _quiet_logs() -> None:
    # The pipeline builds many models; TensorFlow takes that for a mistake and warns of retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # What Ctrl-C does to a training is said at once; other notices are in the runs' own logs.
    notices = logging.StreamHandler()
    notices.setLevel(logging.WARNING)
    logging.getLogger("metrabs.training.callbacks").handlers = [notices]


def _print_results(recipe: Recipe, has_run: bool) -> None:
    folders = [recipe.results, *["scale"] * bool(recipe.scale_datasets)]
    for folder in folders:
        print("\n" + (recipe.output / folder / "results.txt").read_text())
    if not has_run:
        print("Everything was already complete.")
    for folder in folders:
        print(
            f"Table:   {recipe.output / folder / 'results.txt'} (also .md, .csv and a figure, "
            ".png)"
        )
    if recipe.exported is not None:
        print(f"Figures: {recipe.output / 'report'}/*.png")
        print(f"Model:   {recipe.output / 'export/estimator'}   (tf.saved_model.load)")


if __name__ == "__main__":
    sys.exit(main())
