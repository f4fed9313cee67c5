"""Evaluates models on benchmarks and prints the numbers with their protocol.

    python -m metrabs.evaluation NAME --model=MODEL --data_root=FOLDER --output=FOLDER
    python -m metrabs.evaluation NAME --predictions=FILE --data_root=FOLDER
    python -m metrabs.evaluation poster-table --results=FOLDER

NAME is h36m, tdhp, tdpw or mupots; MODEL is a name, URL or path of a full-image model (a
SavedModel). The output folder receives the predictions, a record of the model and the settings,
and the numbers as .txt, .csv and .tex. The same command continues an interrupted prediction.
`poster-table` compares all results in a folder with the poster's Table 1; each of its folders has
those of one model.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Optional

from absl import flags

from metrabs import settings
from metrabs.command import DataRootSettings, reject_positional_args, run_command, run_tool
from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.benchmarks.base import Benchmark
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from metrabs.evaluation.benchmarks.registry import BENCHMARKS, load_benchmark
from metrabs.evaluation.poster import poster_table
from metrabs.evaluation.report import BenchmarkReport
from metrabs.settings import setting

_TABLE = "poster-table"


@dataclasses.dataclass(frozen=True)
class EvaluationSettings(DataRootSettings):
    """What to evaluate."""

    model: str = setting("", "name, URL or path of the full-image model")
    predictions: str = setting("", "prediction file (or folder) to evaluate instead of a model")
    output: str = setting("", "folder of predictions and numbers")
    batch_size: int = setting(64, "number of images given to the model at once", at_least=1)
    default_fov_degrees: float = setting(
        55.0, "field of view over the longer image side, where the camera is unknown", "degrees"
    )


@dataclasses.dataclass(frozen=True)
class TableSettings:
    """Which results to tabulate."""

    results: str = setting(".", "folder with results of models")
    output: str = setting("", "file to write, .txt, .md, .csv or .tex")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: Command line without the program's name; default: that of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given and not given[0].startswith("-") else ""
    if name == _TABLE:
        return run_tool(__doc__, TableSettings, _print_table, given[1:])

    def define(values: flags.FlagValues) -> None:
        """Declares the flags of the named benchmark."""
        if name:
            benchmark = load_benchmark(name)
            settings.define_flags(values, EvaluationSettings, "evaluation")
            defaults = dataclasses.asdict(benchmark.SETTINGS)
            settings.define_flags(values, PredictionSettings, "model", defaults)
            settings.define_flags(values, benchmark, "benchmark")

    def run(values: flags.FlagValues, words: Sequence[str]) -> None:
        """Evaluates on the named benchmark."""
        reject_positional_args(words)
        if not name:
            raise UserError(f"Give a benchmark ({', '.join(BENCHMARKS)}) or {_TABLE}.")
        chosen = settings.from_flags(values, EvaluationSettings)
        prediction = settings.from_flags(values, PredictionSettings)
        print(_evaluate(settings.from_flags(values, load_benchmark(name)), chosen, prediction))

    return run_command(
        __doc__, define, run, given[bool(name):],
        interrupted="Interrupted. The same command continues from here.",
    )  # fmt: skip


def _evaluate(
    benchmark: Benchmark, chosen: EvaluationSettings, prediction: PredictionSettings
) -> str:
    data_root = chosen.folders().root
    if chosen.predictions:
        path = pathlib.Path(chosen.predictions)
    else:
        path = _predict(benchmark, chosen, prediction, data_root)
    report = BenchmarkReport(benchmark.NAME, benchmark.evaluate(data_root, path))
    if chosen.output:
        for suffix in ("txt", "csv", "tex"):
            name = f"{benchmark.stem_of(path)}_numbers.{suffix}"
            report.write(pathlib.Path(chosen.output, name))
    return f"{benchmark.TITLE}: {path}\n\n{report.to_text()}"


def _predict(
    benchmark: Benchmark,
    chosen: EvaluationSettings,
    prediction: PredictionSettings,
    data_root: pathlib.Path,
) -> pathlib.Path:
    """Returns the file of predictions, which are made if they do not exist."""
    if not (chosen.model and chosen.output):
        raise UserError("Give --model and --output to predict, or --predictions to evaluate.")

    def _load() -> Any:
        from metrabs.hub import load_model

        return load_model(chosen.model)

    name = f"{benchmark.NAME}_pred_aug{prediction.num_aug}{benchmark.ENDING}"
    path = pathlib.Path(chosen.output, name)
    predict_benchmark(
        benchmark,
        _load,
        chosen.model,
        data_root,
        path,
        prediction,
        chosen.batch_size,
        chosen.default_fov_degrees,
    )
    return path


def _print_table(chosen: TableSettings) -> None:
    table = poster_table(pathlib.Path(chosen.results).rglob("*_numbers.csv"))
    if chosen.output:
        table.write(chosen.output)
    print(table.to_text())


if __name__ == "__main__":
    sys.exit(main())
