"""Predicts the frames of a benchmark with a full-image model, sequence by sequence, in batches."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional

import numpy as np
import tqdm

from metrabs import resumable
from metrabs.data.storage.images import read_image
from metrabs.errors import UserError
from metrabs.estimator.client import BatchCameras, PredictionSettings, Predictor, same_size_batches
from metrabs.evaluation.benchmarks.base import Benchmark, Frame, Predictions
from metrabs.files import atomic_path

_NUM_READERS = 4


def predict_benchmark(
    benchmark: Benchmark,
    load_model: Callable[[], Any],
    model_name: str,
    data_root: pathlib.Path,
    path: pathlib.Path,
    settings: PredictionSettings,
    batch_size: int = 64,
    fov_degrees: float = 55.0,
) -> None:
    """Predicts all frames and writes the prediction file, unless that is done already.

    Finished sequences are kept in the folder `<path>.parts` until the file is complete, so that an
    interrupted prediction is continued. `<name>_settings.json` next to the file records the model
    and the settings, so that predictions of others are never mistaken for the requested ones.

    Args:
        benchmark: Benchmark whose frames are predicted.
        load_model: Loads the full-image model; called only if frames are left to predict.
        model_name: Name, URL or path of the model; for a path, its content also counts.
        data_root: Folder of all data.
        path: File (or folder) to write.
        settings: Arguments of the model's calls.
        batch_size: Number of images given to the model at once.
        fov_degrees: Field of view where the camera is unknown.

    Raises:
        UserError: frames or truth are missing, or there are predictions of another model or with
            other settings.
    """
    _claim(
        benchmark,
        path,
        {
            "model": resumable.content_identity(model_name),
            **benchmark.prediction_record(),
            **settings.result_settings(),
            "default_fov_degrees": fov_degrees,
        },
    )
    parts_folder = _parts_folder(path)
    if path.exists() and not parts_folder.exists():
        return
    sequences = benchmark.sequences(data_root)
    if not sequences:
        raise UserError(
            f"There is nothing of {benchmark.TITLE} in '{data_root}'. docs/prepare/"
            f"{benchmark.NAME}.md says what to download and where to put it."
        )
    predictor = Predictor(load_model(), settings)
    parts = []
    for sequence in tqdm.tqdm(sequences, f"predicting {benchmark.TITLE}", disable=None):
        part_path = parts_folder / f"{sequence}.npz"
        if not part_path.exists():
            frames = benchmark.frames(data_root, sequence)
            _save(part_path, _predict(predictor, frames, data_root, batch_size, fov_degrees))
        parts.append((sequence, _load(part_path)))
    benchmark.combine(data_root, parts, path)
    shutil.rmtree(parts_folder)


def _parts_folder(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(path.name + ".parts")


def _claim(benchmark: Benchmark, path: pathlib.Path, settings: dict[str, Any]) -> None:
    """Records the settings of predictions, or checks that existing ones have the same."""
    record = path.with_name(f"{benchmark.stem_of(path)}_settings.json")
    if path.exists() and not record.exists():
        raise UserError(
            f"There is no record '{record.name}' of the model that predicted '{path}'. Evaluate "
            f"it by --predictions={path}, or delete it to predict again."
        )
    resumable.check_same_settings(
        record,
        settings,
        f"Evaluate them by --predictions={path}, give another --output, or delete '{record}', "
        f"'{path}' and '{_parts_folder(path).name}' to predict again.",
    )
    if not record.exists() and _parts_folder(path).exists():
        shutil.rmtree(_parts_folder(path))  # of unknown settings
    resumable.write_settings(record, settings)


def _predict(
    predictor: Predictor,
    frames: Sequence[Frame],
    data_root: pathlib.Path,
    batch_size: int,
    fov_degrees: float,
) -> Predictions:
    """Predicts the people of frames, in order; all frames have boxes, or none."""
    paths: list[str] = []
    poses3d, poses2d = [], []
    with concurrent.futures.ThreadPoolExecutor(_NUM_READERS) as readers:
        pairs = _read_ahead(readers, frames, data_root, 2 * batch_size)
        for batch in same_size_batches(pairs, batch_size, lambda pair: pair[1]):
            batch_frames = [frame for frame, _ in batch]
            results = predictor.predict(
                [image for _, image in batch],
                _boxes_of(batch_frames),
                _cameras_of(batch_frames, fov_degrees),
            )
            for frame, people in zip(batch_frames, results):
                paths += [frame.image_path] * people.num_people
                poses3d.append(people.poses3d_mm)
                poses2d.append(people.poses2d_px)
    return Predictions(np.array(paths, str), np.concatenate(poses3d), np.concatenate(poses2d))


def _boxes_of(frames: Sequence[Frame]) -> Optional[list[np.ndarray]]:
    boxes = [frame.box_ltwh_px for frame in frames if frame.box_ltwh_px is not None]
    return [box[np.newaxis] for box in boxes] or None


def _cameras_of(frames: Sequence[Frame], fov_degrees: float) -> BatchCameras:
    cameras = [frame.camera for frame in frames if frame.camera is not None]
    if not cameras:
        return BatchCameras(fov_degrees=fov_degrees)
    lenses = [() if c.distortion_coeffs is None else c.distortion_coeffs for c in cameras]
    num_coefficients = max(5, *map(len, lenses))
    return BatchCameras(
        np.array([camera.intrinsic_matrix for camera in cameras]),
        np.array([np.pad(lens, (0, num_coefficients - len(lens))) for lens in lenses]),
        np.array([camera.get_extrinsic_matrix() for camera in cameras]),
        cameras[0].world_up,
        fov_degrees,
    )


def _read_ahead(
    readers: concurrent.futures.Executor,
    frames: Sequence[Frame],
    data_root: pathlib.Path,
    num_ahead: int,
) -> Iterator[tuple[Frame, np.ndarray]]:
    """Yields frames with their images `[h, w, 3]` RGB, while the next ones are being read."""
    remaining = iter(frames)
    pending = [
        (frame, readers.submit(_read, data_root, frame))
        for frame in itertools.islice(remaining, num_ahead)
    ]
    while pending:
        frame, future = pending.pop(0)
        yield frame, future.result()
        pending += [
            (following, readers.submit(_read, data_root, following))
            for following in itertools.islice(remaining, 1)
        ]


def _read(data_root: pathlib.Path, frame: Frame) -> np.ndarray:
    return read_image(str(data_root / frame.image_path))


def _save(path: pathlib.Path, predictions: Predictions) -> None:
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **dataclasses.asdict(predictions))


def _load(path: pathlib.Path) -> Predictions:
    with np.load(path) as file:
        return Predictions(**file)
