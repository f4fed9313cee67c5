"""Evaluates models on benchmarks, and prints numbers with the protocol behind them.

    python -m metrabs.evaluation NAME --model=MODEL --data_root=FOLDER --output=FOLDER
    python -m metrabs.evaluation NAME --predictions=FILE --data_root=FOLDER
    python -m metrabs.evaluation poster-table --results=FOLDER

NAME is h36m, tdhp, tdpw or mupots; MODEL is a name, URL or path of a full-image model (a
SavedModel). The output folder gets the predictions and the numbers as .txt, .csv and .tex. An
interrupted prediction is continued by the same call. `poster-table` sets all results below a
folder beside the poster's Table 1; each folder holds those of one model.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence

from absl import flags

from metrabs.command import data_root_of, define_data_root, reject_positional_args, run_command
from metrabs.errors import UserError
from metrabs.evaluation.benchmarks.base import Benchmark, PredictionOptions
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from metrabs.evaluation.benchmarks.registry import BENCHMARKS, load_benchmark
from metrabs.evaluation.poster import poster_table
from metrabs.evaluation.report import BenchmarkReport

_TABLE = "poster-table"


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; returns the exit code.

    Args:
        arguments: without the name of the program.
    """
    name = arguments[0] if arguments and not arguments[0].startswith("-") else ""

    def define(values: flags.FlagValues) -> None:
        """Declares the flags of the named benchmark, or of the table."""
        if name == _TABLE:
            _define_table_flags(values)
        elif name:
            _define_flags(values, load_benchmark(name))

    def run(values: flags.FlagValues, words: Sequence[str]) -> None:
        """Does the named task."""
        reject_positional_args(words)
        if not name:
            raise UserError(f"Name a benchmark ({', '.join(BENCHMARKS)}) or {_TABLE}.")
        print(_table(values) if name == _TABLE else _evaluate(values, load_benchmark(name)))

    return run_command(
        __doc__, define, run, arguments[bool(name):],
        interrupted="Interrupted. The same command continues from here.",
    )


def _define_flags(values: flags.FlagValues, benchmark: type[Benchmark]) -> None:
    define_data_root(values)
    for name, text in (
        ("model", "name, URL or path of the full-image model"),
        ("predictions", "evaluate this prediction file instead"),
        ("output", "folder of predictions and numbers"),
    ):
        flags.DEFINE_string(name, "", text, flag_values=values)
    flags.DEFINE_integer("batch_size", 64, "images at a time", lower_bound=1, flag_values=values)
    for field in dataclasses.fields(PredictionOptions):
        _define_field(values, field.name, getattr(benchmark.OPTIONS, field.name),
                      "of the model's call; see its documentation")
    for field in dataclasses.fields(benchmark):
        _define_field(values, field.name, field.default, field.metadata["help"])


def _define_field(values: flags.FlagValues, name: str, default: object, text: str) -> None:
    define = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float,
              str: flags.DEFINE_string}[type(default)]
    define(name, default, text, flag_values=values)  # type: ignore[operator]


def _evaluate(values: flags.FlagValues, benchmark_class: type[Benchmark]) -> str:
    data_root = data_root_of(values)
    benchmark = benchmark_class(**{
        field.name: getattr(values, field.name) for field in dataclasses.fields(benchmark_class)})
    if values.predictions:
        path = pathlib.Path(values.predictions)
    else:
        path = _predict(values, benchmark, data_root)
    report = BenchmarkReport(benchmark.NAME, benchmark.evaluate(data_root, path))
    if values.output:
        stem = path.name[:-len(benchmark.ENDING)] if benchmark.ENDING else path.name
        for suffix in ("txt", "csv", "tex"):
            target = pathlib.Path(values.output) / f"{stem}_numbers.{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            report.write(target)
    return f"{benchmark.TITLE}: {path}\n\n{report.to_text()}"


def _predict(
    values: flags.FlagValues, benchmark: Benchmark, data_root: pathlib.Path
) -> pathlib.Path:
    if not (values.model and values.output):
        raise UserError("Give --model and --output to predict, or --predictions to evaluate.")
    options = PredictionOptions(**{
        field.name: getattr(values, field.name)
        for field in dataclasses.fields(PredictionOptions)})
    path = pathlib.Path(values.output) / (
        f"{benchmark.NAME}_pred_aug{options.num_aug}{benchmark.ENDING}")
    if not path.exists():
        from metrabs.hub import load_model

        predict_benchmark(benchmark, load_model(values.model), values.model, data_root, path,
                          options, values.batch_size)
    return path


def _define_table_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_string("results", ".", "folder with results of models", flag_values=values)
    flags.DEFINE_string("output", "", "file to write, .txt, .md or .csv", flag_values=values)


def _table(values: flags.FlagValues) -> str:
    table = poster_table(pathlib.Path(values.results).rglob("*_numbers.csv"))
    if values.output:
        table.write(values.output)
    return table.to_text()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
