"""Runs a full-image model over the frames of a benchmark, in batches, sequence by sequence."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tqdm

from metrabs.data.storage.images import read_image
from metrabs.errors import UserError
from metrabs.evaluation.benchmarks.base import (
    Benchmark,
    Frame,
    PredictionOptions,
    Predictions,
)
from metrabs.files import atomic_path
from metrabs.resumable import check_same_settings, write_settings

_NUM_READERS = 4


def predict_benchmark(
    benchmark: Benchmark,
    model: Any,
    model_name: str,
    data_root: pathlib.Path,
    path: pathlib.Path,
    options: PredictionOptions,
    batch_size: int = 64,
) -> None:
    """Predicts all frames and writes the prediction file; an interrupted call is continued.

    Finished sequences are kept in the folder `<path>.parts` until the file is complete.

    Args:
        benchmark: which frames.
        model: a loaded full-image model.
        model_name: tells models apart when a prediction is continued.
        data_root: folder of all data.
        path: file (or folder) to write.
        options: how to call the model.
        batch_size: images at a time.

    Raises:
        UserError: frames or truth are missing, or other settings have left unfinished parts.
    """
    parts_folder = path.with_name(path.name + ".parts")
    _start_parts(parts_folder, {
        "model": model_name, "benchmark": repr(benchmark), **dataclasses.asdict(options),
    })
    sequences = benchmark.sequences(data_root)
    if not sequences:
        raise UserError(
            f"There is nothing of {benchmark.TITLE} in '{data_root}'. The page docs/prepare/"
            f"{benchmark.NAME}.md tells what to download and where to put it."
        )
    parts = []
    for sequence in tqdm.tqdm(sequences, f"predicting {benchmark.TITLE}", disable=None):
        part_path = parts_folder / f"{sequence}.npz"
        if not part_path.exists():
            frames = benchmark.frames(data_root, sequence)
            _save(part_path, predict_frames(model, frames, data_root, options, batch_size))
        parts.append((sequence, _load(part_path)))
    benchmark.combine(data_root, parts, path)
    shutil.rmtree(parts_folder)


def predict_frames(
    model: Any, frames: Sequence[Frame], data_root: pathlib.Path, options: PredictionOptions,
    batch_size: int,
) -> Predictions:
    """Predicts the people of frames in order.

    Args:
        model: has `detect_poses_batched` and `estimate_poses_batched`.
        frames: all with boxes, or none.
        data_root: folder to which image paths are relative.
        options: how to call the model.
        batch_size: images at a time; fewer where their size changes.
    """
    paths: list[str] = []
    poses3d, poses2d = [], []
    for batch, images in _batches(frames, data_root, batch_size):
        result = _call(model, batch, images, options)
        for frame, pose3d, pose2d in zip(batch, result["poses3d"], result["poses2d"]):
            pose3d, pose2d = np.asarray(pose3d), np.asarray(pose2d)
            paths += [frame.image_path] * len(pose3d)
            poses3d.append(pose3d)
            poses2d.append(pose2d)
    return Predictions(np.array(paths, str), np.concatenate(poses3d), np.concatenate(poses2d))


def _call(
    model: Any, frames: Sequence[Frame], images: np.ndarray, options: PredictionOptions
) -> dict[str, Any]:
    arguments = {
        "num_aug": options.num_aug, "antialias_factor": options.antialias_factor,
        "internal_batch_size": options.internal_batch_size, "skeleton": options.skeleton,
        "default_fov_degrees": options.default_fov_degrees, **_camera_arguments(frames),
    }
    if frames[0].box_ltwh_px is not None:
        import tensorflow as tf

        boxes = np.array([frame.box_ltwh_px for frame in frames], np.float32)[:, np.newaxis]
        ragged = tf.RaggedTensor.from_tensor(boxes, ragged_rank=1)
        return model.estimate_poses_batched(images, ragged, **arguments)
    return model.detect_poses_batched(
        images, **arguments, detector_threshold=options.detector_threshold,
        detector_nms_iou_threshold=options.detector_nms_iou_threshold,
        detector_flip_aug=options.detector_flip_aug, max_detections=options.max_detections,
        suppress_implausible_poses=False,
    )


def _camera_arguments(frames: Sequence[Frame]) -> dict[str, np.ndarray]:
    cameras = [frame.camera for frame in frames if frame.camera is not None]
    if not cameras:
        return {}
    lenses = [() if c.distortion_coeffs is None else c.distortion_coeffs for c in cameras]
    num_coefficients = max(5, *map(len, lenses))
    return {
        "intrinsic_matrix": np.array([c.intrinsic_matrix for c in cameras], np.float32),
        "distortion_coeffs": np.array(
            [np.pad(lens, (0, num_coefficients - len(lens))) for lens in lenses], np.float32),
        "extrinsic_matrix": np.array([c.get_extrinsic_matrix() for c in cameras], np.float32),
        "world_up_vector": np.asarray(cameras[0].world_up, np.float32),
    }


def _batches(
    frames: Sequence[Frame], data_root: pathlib.Path, batch_size: int
) -> Iterator[tuple[list[Frame], np.ndarray]]:
    """Yields frames and their images [n, h, w, 3] RGB, which are read ahead."""
    batch: list[Frame] = []
    images: list[np.ndarray] = []
    with concurrent.futures.ThreadPoolExecutor(_NUM_READERS) as readers:
        for frame, image in _read_ahead(readers, frames, data_root, 2 * batch_size):
            if batch and (len(batch) == batch_size or image.shape != images[0].shape):
                yield batch, np.stack(images)
                batch, images = [], []
            batch.append(frame)
            images.append(image)
    if batch:
        yield batch, np.stack(images)


def _read_ahead(
    readers: concurrent.futures.Executor, frames: Sequence[Frame], data_root: pathlib.Path,
    num_ahead: int,
) -> Iterator[tuple[Frame, np.ndarray]]:
    remaining = iter(frames)
    pending = [(frame, readers.submit(_read, data_root, frame))
               for frame in itertools.islice(remaining, num_ahead)]
    while pending:
        frame, future = pending.pop(0)
        yield frame, future.result()
        pending += [(following, readers.submit(_read, data_root, following))
                    for following in itertools.islice(remaining, 1)]


def _read(data_root: pathlib.Path, frame: Frame) -> np.ndarray:
    return read_image(str(data_root / frame.image_path))


def _start_parts(folder: pathlib.Path, settings: dict[str, Any]) -> None:
    """Makes the folder of finished sequences, or checks that it fits."""
    record = folder / "settings.json"
    check_same_settings(record, settings, "Delete the folder, or give another --output.")
    write_settings(record, settings)


def _save(path: pathlib.Path, predictions: Predictions) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **dataclasses.asdict(predictions))


def _load(path: pathlib.Path) -> Predictions:
    with np.load(path) as file:
        return Predictions(**file)
