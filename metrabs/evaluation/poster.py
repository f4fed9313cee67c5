"""Table 1 of the WACV 2023 poster, compared with the results of other models."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Iterable

from metrabs.errors import UserError
from metrabs.evaluation.report import Column, ResultTable

BENCHMARKS = {"mupots": "MuPoTS", "tdpw": "3DPW", "tdhp": "MPI-INF-3DHP", "h36m": "Human3.6M"}
# Name on the poster, unit, which values are better, and name in `wacv_metrics`.
METRICS = (
    ("MPJPE", "mm", "lower", "MPJPE"), ("PMPJPE", "mm", "lower", "PA-MPJPE"),
    ("PCK100", "%", "higher", "PCK@100"), ("CPS200", "%", "higher", "CPS@200"),
)  # fmt: skip
# The four metrics of MuPoTS, 3DPW, MPI-INF-3DHP and Human3.6M.
TABLE_1 = {
    "EffNetV2-S, merged joints": (
        91.9, 67.3, 63.2, 69.9, 72.5, 48.3, 79.5, 69.7, 69.8, 51.6, 80.7, 79.4, 44.6, 34.2, 93.9,
        89.8),
    "EffNetV2-S, separate joints": (
        84.6, 59.0, 70.1, 66.0, 61.8, 43.4, 83.8, 71.1, 59.6, 44.1, 86.6, 81.8, 44.7, 34.3, 94.3,
        90.1),
    "EffNetV2-S, consistency regularisation": (
        81.8, 57.8, 72.5, 72.9, 61.5, 43.0, 84.0, 71.9, 59.2, 43.6, 86.6, 82.7, 45.2, 33.3, 94.4,
        90.1),
    "EffNetV2-S, latent prediction": (
        83.0, 58.9, 71.4, 71.2, 62.0, 43.6, 84.0, 71.7, 60.2, 44.7, 86.1, 80.2, 46.5, 34.4, 93.9,
        89.5),
    "EffNetV2-S, hybrid": (
        82.7, 58.5, 71.6, 72.1, 61.8, 43.3, 84.0, 71.8, 60.4, 44.8, 85.9, 80.9, 46.1, 34.2, 94.1,
        89.4),
    "EffNetV2-L, separate joints": (
        82.9, 57.7, 71.0, 70.9, 60.9, 42.1, 84.4, 73.4, 59.1, 42.2, 88.0, 85.3, 41.6, 32.0, 95.1,
        92.1),
    "EffNetV2-L, consistency regularisation": (
        81.0, 57.4, 72.8, 74.8, 60.6, 41.7, 84.7, 74.3, 57.9, 41.8, 88.2, 84.7, 40.6, 30.7, 95.7,
        92.6),
    "EffNetV2-L, hybrid": (
        81.3, 57.9, 72.4, 73.9, 61.1, 42.0, 84.6, 74.3, 59.2, 42.8, 87.2, 84.3, 41.8, 31.4, 95.6,
        92.6),
}  # fmt: skip
_PROTOCOL = (
    "rows of the poster: as printed there; rows 'here': with the protocol in the CSV file of the "
    "result"
)
_GROUP = "WACV 2023"


def poster_table(result_files: Iterable[pathlib.Path]) -> ResultTable:
    """Compares results of this program with those of the poster.

    Args:
        result_files: CSV files of `metrabs.evaluation.report.BenchmarkReport`. Those in one folder
            are results of one model, which is named after the folder.

    Raises:
        UserError: there are no files, or one is not such a result.
    """
    columns = [
        Column(title, metric, unit, better, _PROTOCOL)
        for title in BENCHMARKS.values()
        for metric, unit, better, _ in METRICS
    ]
    table = ResultTable("The poster's Table 1 and results of this program", columns)
    for name, numbers in TABLE_1.items():
        table.add_row(name, numbers)
    models: dict[str, dict[str, dict[str, float]]] = {}
    for path in sorted(result_files):
        benchmark, numbers_by_name = _read(path)
        models.setdefault(path.absolute().parent.name, {})[benchmark] = numbers_by_name
    if not models:
        raise UserError(
            "There are no results (*_numbers.csv) in the folder. Make them with "
            "`python -m metrabs.evaluation NAME --model=... --output=FOLDER`."
        )
    for model, results in models.items():
        table.add_row(
            f"here: {model}",
            [
                results.get(name, {}).get(key, float("nan"))
                for name in BENCHMARKS
                for _, _, _, key in METRICS
            ],
        )
    return table


def _read(path: pathlib.Path) -> tuple[str, dict[str, float]]:
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    prefix = f"{_GROUP}: "
    try:
        numbers = {
            row["metric"][len(prefix) :]: float(row["value"] or "nan")
            for row in rows
            if row["metric"].startswith(prefix)
        }
        return rows[0]["benchmark"], numbers
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f"'{path}' is not a result of metrabs.evaluation. Remove it.") from error
