"""Walks the whole way of a recipe: data, three training steps, evaluation, export, use.

`python reproduce.py --flagfile=flags/mini/demo.flags` (what `make demo` runs). Every stage is
resumable: a second call continues where the first one stopped, or ends at once.
"""

from __future__ import annotations

import logging
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

if TYPE_CHECKING:
    from metrabs.reproduction.recipe import Recipe

_USAGE = "python reproduce.py --flagfile=flags/mini/demo.flags [--photo=FILE]"


def main(arguments: Sequence[str]) -> int:
    """Runs a recipe.

    Args:
        arguments: command line arguments without the program's name.

    Returns:
        Exit code: 0 success, 1 wrong input, 2 wrong flags, 130 interrupted.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A walk builds many models; TensorFlow takes that for a mistake and warns of retracing.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    # What Ctrl-C does to a training is told at once; other notices are in the runs' own logs.
    notices = logging.StreamHandler()
    notices.setLevel(logging.WARNING)
    logging.getLogger("metrabs.training.callbacks").handlers = [notices]
    try:
        from metrabs.errors import Interrupted, UserError
        from metrabs.reproduction.pipeline import Walk
        from metrabs.reproduction.stages import run_stages
    except ImportError as error:
        print(f"error: {error}. Install the package first (`make venv`); if a system library is "
              "named, install that.", file=sys.stderr)
        return 1
    try:
        values = _parse(arguments)
        recipe = _recipe(values)
        recipe.output.mkdir(parents=True, exist_ok=True)
        anything_done = run_stages(Walk(recipe).stages(), recipe.output)
    except flags.Error as error:
        print(f"error: {error} Usage: {_USAGE}", file=sys.stderr)
        return 2
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Interrupted):
        print("\nInterrupted. The same command continues from here.", file=sys.stderr)
        return 130
    _print_results(recipe.output, recipe, anything_done)
    return 0


def _parse(arguments: Sequence[str]) -> flags.FlagValues:
    from metrabs.reproduction.recipe import MODELS, SEPARATE

    values = flags.FlagValues()
    define = {"flag_values": values}
    flags.DEFINE_string("output", "demo_output", "folder of everything that is made", **define)
    for name, kind in MODELS.items():
        flags.DEFINE_string(name, None, f"flag file of the model '{kind.title}'", **define)
    flags.mark_flag_as_required(SEPARATE, flag_values=values)
    flags.DEFINE_string("results", "results", "name of the folder of the table", **define)
    flags.DEFINE_string("exported", None, "model to export and to use on pictures", **define)
    flags.DEFINE_integer("seed", 1, "seed of everything", **define)
    flags.DEFINE_integer("examples_per_dataset", 120, "training images per 3D dataset", **define)
    flags.DEFINE_integer("examples_per_dataset_2d", 150, "training images per 2D dataset",
                         **define)
    flags.DEFINE_integer("num_test_examples", 400, "test images", **define)
    flags.DEFINE_integer("acae_steps", 6000, "steps of the autoencoder", **define)
    flags.DEFINE_integer("workers", 2, "processes that render and load", **define)
    flags.DEFINE_multi_string("photo", [], "photograph to try the export on; may be repeated",
                              **define)
    flags.DEFINE_list("scale_datasets", [], "smaller piles to train on, for the curve over the "
                      "number of datasets", **define)
    rest = values(["reproduce.py", *arguments])[1:]
    if rest:
        raise flags.Error(f"'{rest[0]}' is not a flag.")
    return values


def _recipe(values: flags.FlagValues) -> Recipe:
    from metrabs.cli import given_settings, parse_flags
    from metrabs.config import Config
    from metrabs.errors import UserError, unknown_name_error
    from metrabs.reproduction.recipe import MODELS, Recipe

    models = {
        name: Config().replace(**given_settings(parse_flags([f"--flagfile={values[name].value}"])))
        for name in MODELS if values[name].value
    }
    if values.exported is not None and values.exported not in models:
        raise unknown_name_error("trained model to export", values.exported, models)
    photos = [pathlib.Path(photo).absolute() for photo in values.photo if photo]
    for photo in photos:
        if not photo.is_file():
            raise UserError(f"There is no photo '{photo}'. Give the path of a JPEG or PNG file.")
    return Recipe(
        output=pathlib.Path(values.output).absolute(), models=models, results=values.results,
        scale_datasets=tuple(values.scale_datasets), exported=values.exported,
        photos=tuple(photos),
        **{name: values[name].value for name in (
            "seed", "examples_per_dataset", "examples_per_dataset_2d", "num_test_examples",
            "acae_steps", "workers")},
    )


def _print_results(output: pathlib.Path, recipe: Recipe, anything_done: bool) -> None:
    folders = [recipe.results, *["scale"] * bool(recipe.scale_datasets)]
    for folder in folders:
        print("\n" + (output / folder / "results.txt").read_text())
    if not anything_done:
        print("Everything was complete already.")
    for folder in folders:
        print(f"Table:   {output / folder / 'results.txt'} (also .md, .csv and, as figure, .png)")
    if recipe.exported is not None:
        print(f"Figures: {output / 'report'}/*.png")
        print(f"Model:   {output / 'export/estimator'}   (tf.saved_model.load)")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
