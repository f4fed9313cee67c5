"""The evaluation stages: models on the test images, in the layout of the poster's table."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metrabs.data.datasets import open_dataset
from metrabs.data.loading.pipeline import evaluation_batches
from metrabs.evaluation import metrics
from metrabs.evaluation.consistency import format_consistency, group_joints
from metrabs.evaluation.report import Column, ResultTable
from metrabs.files import atomic_path, write_text_atomically
from metrabs.folders import DataFolders
from metrabs.progress import progress_bar
from metrabs.reproduction.quiet_xla import silence_xla_notices
from metrabs.skeletons import tables
from metrabs.visualization.charts import bar_figure, line_figure
from metrabs.visualization.figures import save_figure

_BATCH_SIZE = 32
_SKELETON = "h36m_17"
_ROOT_JOINT = "pelv"

_IMAGES = "test images of the built-in datasets, true person boxes, no test-time augmentation"
_POSE_PROTOCOL = (
    f"{_IMAGES}; 17 Human3.6M joints relative to the pelvis; PMPJPE after Procrustes alignment "
    "with scale; PCK100: joints within 100 mm; CPS200: poses whose joints all lie within 200 mm"
)
_CONSISTENCY_PROTOCOL = (
    f"{_IMAGES}; disagreement of the formats about joints of the same name, beyond their true "
    "offsets (all 555 joints); mean over pairs of formats, body parts and images; no alignment"
)
_POSE_COLUMNS = (
    ("MPJPE", "mm", "lower"), ("PMPJPE", "mm", "lower"), ("PCK100", "%", "higher"),
    ("CPS200", "%", "higher"),
)  # fmt: skip
_CONSISTENCY_PARTS = ("total", "depth", "lateral")
_NAMES = [*(name for name, _, _ in _POSE_COLUMNS), *_CONSISTENCY_PARTS]
_NUMBERS = "numbers.json"


def predict_split(
    run_folder: pathlib.Path, split: str, workers: int, folders: DataFolders, mirror: bool = False
) -> dict[str, Any]:
    """Predicts a split of the 3D dataset that a run was trained on, with its last checkpoint.

    Returns:
        The arrays of `metrabs.training.prediction.predict_poses`, and `joint_names`.
    """
    from metrabs.models.description import read_config
    from metrabs.training.checkpoints import latest_checkpoint
    from metrabs.training.model_loading import load_crop_model
    from metrabs.training.prediction import predict_poses

    silence_xla_notices()
    config = read_config(run_folder)
    examples = open_dataset(config.data.dataset3d, folders).split(split)
    checkpoint = latest_checkpoint(run_folder)
    assert checkpoint is not None, f"no checkpoint in {run_folder}"
    model = load_crop_model(checkpoint)
    joint_info = model.joint_info
    batches = evaluation_batches(
        examples, joint_info, config.loading, _BATCH_SIZE, workers, folders
    )
    bar = progress_bar(batches, f"predicting {split}", -(-len(examples) // _BATCH_SIZE), "batch")
    predictions = predict_poses(model, bar, mirror)
    return {**predictions, "joint_names": np.array(joint_info.names)}


def evaluate_run(
    run_folder: pathlib.Path, folder: pathlib.Path, workers: int, folders: DataFolders
) -> None:
    """Evaluates the last checkpoint of a run on the test images.

    Args:
        run_folder: Folder of a run on any of the built-in datasets, which share their test images.
        folder: Where to write `predictions.npz` and `numbers.json` {metric: value}.
        workers: Number of processes that load images.
    """
    predictions = predict_split(run_folder, "test", workers, folders)
    with atomic_path(folder / "predictions.npz") as path:
        np.savez(path, **predictions)
    numbers = {**pose_numbers(predictions), **consistency_numbers(predictions)}
    write_text_atomically(folder / _NUMBERS, json.dumps(numbers, indent=2))


def write_comparison(evaluations: Mapping[str, pathlib.Path], folder: pathlib.Path) -> None:
    """Compares models in the layout of the poster's Table 1.

    Args:
        evaluations: {title of the model: folder that `evaluate_run` filled}.
        folder: Where to write `results.{txt,md,csv}` and the figure `results.png`.
    """
    table = ResultTable(
        "Miniature of the poster's Table 1 (built-in data, minutes of training)",
        [*_pose_columns(), *_consistency_columns()],
    )
    for title, evaluation in evaluations.items():
        table.add_row(title, _numbers(evaluation, _NAMES))
    _write_table(table, folder / "results")
    headings = {"PMPJPE": "PMPJPE", "total": "cross-format consistency", "depth": "its depth part"}
    columns = {
        heading: [values[_NAMES.index(name)] for _, values in table.rows]
        for name, heading in headings.items()
    }
    figure = bar_figure(
        list(evaluations), columns, ylabel="error [mm]", title="Built-in test set, lower is better"
    )
    save_figure(figure, folder / "results.png")


def write_scale(
    evaluations: Mapping[str, pathlib.Path], folder: pathlib.Path, folders: DataFolders
) -> None:
    """Compares models trained on different numbers of datasets.

    Args:
        evaluations: {name of the merged dataset: folder that `evaluate_run` filled}.
        folder: Where to write `results.{txt,md,csv}` and the figure `results.png`.
        folders: Where the datasets are.
    """
    table = ResultTable("More datasets, same number of training steps", _pose_columns())
    counts = [len(open_dataset(name, folders).samples_per_batch or [name]) for name in evaluations]
    for count, evaluation in zip(counts, evaluations.values()):
        title = f"{count} dataset{'s' * (count > 1)}"
        table.add_row(title, _numbers(evaluation, [name for name, _, _ in _POSE_COLUMNS]))
    _write_table(table, folder / "results")
    series = {
        column.metric: [values[i] for _, values in table.rows]
        for i, column in enumerate(table.columns)
        if column.unit == "mm"
    }
    figure = line_figure(
        counts,
        series,
        xlabel="training datasets",
        ylabel="error [mm]",
        title="Built-in test set, 17 Human3.6M joints",
        log_x=True,
    )
    save_figure(figure, folder / "results.png")


def pose_numbers(predictions: Mapping[str, Any]) -> dict[str, float]:
    """Returns MPJPE and PMPJPE (mm), PCK@100 and CPS@200 (%) of the 17 Human3.6M joints."""
    skeleton = tables.export_skeletons(predictions["joint_names"].tolist())[_SKELETON]
    root = skeleton.names.index(_ROOT_JOINT)
    pred, true = (
        predictions[f"coords3d_{kind}_cam"][:, skeleton.indices] for kind in ("pred", "true")
    )
    numbers = metrics.wacv_metrics(pred, true, root)
    return {
        name: numbers[key]
        for name, key in zip(_NAMES, ("MPJPE", "PA-MPJPE", "PCK@100", "CPS@200"))
    }


def consistency_numbers(predictions: Mapping[str, Any]) -> dict[str, float]:
    """Returns the inconsistency of the formats: total, depth and lateral part, mm.

    A model of a single format has no such numbers.
    """
    groups = group_joints(predictions["joint_names"].tolist(), tables.base_name)
    if not groups:
        return {}
    return format_consistency(
        predictions["coords3d_pred_cam"], predictions["coords3d_true_cam"], groups
    ).means()


def _numbers(evaluation: pathlib.Path, names: Sequence[str]) -> list[float]:
    numbers = json.loads((evaluation / _NUMBERS).read_text())
    return [numbers[name] for name in names]


def _pose_columns() -> list[Column]:
    return [Column("built-in test set", *column, _POSE_PROTOCOL) for column in _POSE_COLUMNS]


def _consistency_columns() -> list[Column]:
    return [
        Column("cross-format consistency", part, "mm", "lower", _CONSISTENCY_PROTOCOL)
        for part in _CONSISTENCY_PARTS
    ]


def _write_table(table: ResultTable, path: pathlib.Path) -> None:
    for suffix in ("csv", "md", "txt"):
        table.write(path.with_suffix(f".{suffix}"))
