"""Speed of loading training examples compared with decoding the image and warping it once.

    python -m benchmarks.loading [--json=FILE] [--only=NAME]

on an otherwise idle machine. Examples have a JPEG of 420 pixels, a person mask and 555 joints, and
get all augmentations with the default settings; occluders come from a table and backgrounds from
JPEGs of 512 pixels, as when both have been prepared. References:

- for one core: decoding plus one warp;
- for a stage of loading: all stages;
- for the stream of batches (`stream_*`): the same number of processes that load independently,
  without making or handing over batches;
- for independent processes (`*_apart`): their number times the rate of one process, which shows
  how independent the machine's cores are.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import dataclasses
import functools
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Optional

import cv2
import numpy as np

from benchmarks.report import BenchmarkSettings, Measurement, run_benchmark
from metrabs.config import Config, LoadingConfig
from metrabs.data.augmentation.occluder_table import OccluderTable, write_occluders
from metrabs.data.augmentation.pools import AugmentationPools, synthetic_pools
from metrabs.data.examples import Pose3DExample, PoseDataset
from metrabs.data.loading.example_3d import load_example_3d
from metrabs.data.loading.pipeline import training_batches
from metrabs.data.loading.worker_pool import process_pool
from metrabs.data.storage.cache import open_cache, write_cache
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import encode_mask
from metrabs.geometry.camera import Camera
from metrabs.settings import setting
from metrabs.skeletons.tables import merged_joint_info

_IMAGE_SIDE, _BACKGROUND_SIDE = 420, 512
_NUM_EXAMPLES = 32
_BATCH_SIZE = 96
_NUM_STREAMED_BATCHES = 8  # per worker and round
_NUM_ROUNDS = 3
_EXAMPLES_PER_SECOND = 150  # target for one core
_ADMITTED_STREAM_RATIO = 0.9  # of the stream to the same number of independent processes
# The stages of loading, each with those before it: changes to the default settings.
_STAGES = {
    "crop": {"background_aug_prob": 0.0, "occlude_aug_prob": 0.0, "color_aug": False},
    "background": {"occlude_aug_prob": 0.0, "color_aug": False},
    "occlusion": {"color_aug": False},
    "colour": {},
}


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is loaded: a dataset, whose training examples are used, and images to paste."""

    dataset: PoseDataset
    pools: AugmentationPools


@dataclasses.dataclass(frozen=True)
class LoadingBenchmarkSettings(BenchmarkSettings):
    """Settings of this benchmark."""

    only: str = setting(
        "", "part of the name of the only benchmark to run, such as stream; default: all"
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_benchmark(__doc__, measure, arguments, LoadingBenchmarkSettings)


def measure(settings: LoadingBenchmarkSettings) -> list[Measurement]:
    """Runs the benchmarks that are asked for."""
    cv2.setNumThreads(1)
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        workload = generated_workload(pathlib.Path(folder))
        for side in (256, 384):
            if settings.only in f"full_augmentation_{side}":
                measurements += augmentation_measurements(workload, side)
        if settings.only in "stream_256":
            measurements += stream_measurements(workload, 256)
    return measurements


def augmentation_measurements(workload: Workload, side: int) -> list[Measurement]:
    """Measures one core: the whole rate, and the time of each stage.

    Args:
        workload: Examples to load.
        side: Side of the crops in pixels.
    """
    configs = [LoadingConfig(proc_side=side, **changes) for changes in _STAGES.values()]
    loads = [functools.partial(_load_all, workload, config) for config in configs]
    bare, decoding, *cumulative = best_times(
        [lambda: _warp_all(workload, side), lambda: _decode_all(workload), *loads]
    )
    num = len(workload.dataset.train)
    whole = cumulative[-1]
    name = f"full_augmentation_{side}"
    rate = Measurement(
        name,
        num / whole,
        "ex/s/core",
        num / bare,
        _EXAMPLES_PER_SECOND * bare / num,
        higher_is_better=True,
    )
    times = zip(["decoding", *_STAGES], np.diff([0, decoding, *cumulative]))
    return [
        rate,
        *(
            Measurement(f"{name}_{stage}", 1e3 * seconds / num, "ms/ex", 1e3 * whole / num)
            for stage, seconds in times
        ),
    ]


def stream_measurements(workload: Workload, side: int) -> list[Measurement]:
    """Measures the training pipeline with all cores, and with fewer."""
    num_cores = len(os.sched_getaffinity(0))
    counts = [2**i for i in range(num_cores.bit_length()) if 2**i < num_cores] + [num_cores]
    measurements: list[Measurement] = []
    single = None
    for count in counts:
        name = f"stream_{side}" + (f"_{count}_workers" if count < num_cores else "")
        stream, independent = _best_rates(workload, side, count)
        single = single or independent
        measurements += [
            Measurement(
                name, stream, "ex/s", independent, _ADMITTED_STREAM_RATIO, higher_is_better=True
            ),
            Measurement(
                f"{name}_apart", independent, "ex/s", count * single, higher_is_better=True
            ),
        ]
    return measurements


def _best_rates(workload: Workload, side: int, num_workers: int) -> tuple[float, float]:
    """Returns the best rates of the stream and of independent processes, measured in turns."""
    rounds = [
        (stream_rate(workload, side, num_workers), independent_rate(workload, side, num_workers))
        for _ in range(_NUM_ROUNDS)
    ]
    streams, independent = zip(*rounds)
    return max(streams), max(independent)


def stream_rate(workload: Workload, side: int, num_workers: int) -> float:
    """Returns how many examples per second the training pipeline delivers in batches of 96."""
    config = Config().replace(proc_side=side, batch_size=_BATCH_SIZE, workers=num_workers)
    num_warmup, num_timed = 3 * num_workers, _NUM_STREAMED_BATCHES * num_workers
    # More batches follow, so that all workers are busy to the end.
    num_steps = num_warmup + num_timed + 3 * num_workers
    batches = training_batches(workload.dataset, None, config, 0, num_steps, workload.pools)
    for _ in range(num_warmup):
        next(batches)
    start = time.perf_counter()
    for _ in range(num_timed):
        next(batches)
    return num_timed * _BATCH_SIZE / (time.perf_counter() - start)


def independent_rate(
    workload: Workload, side: int, num_processes: int, seconds: float = 4.0, lead: float = 3.0
) -> float:
    """Returns how many examples per second processes load independently of each other.

    Args:
        workload: Examples to load.
        side: Side of the crops in pixels.
        num_processes: Number of processes that load at the same time.
        seconds: Duration of the measurement.
        lead: Seconds before the measurement, for starting the processes.
    """
    pool = process_pool(num_processes)
    begin = time.time() + lead
    futures = [
        pool.submit(_examples_between, workload, side, begin, begin + seconds)
        for _ in range(num_processes)
    ]
    return sum(future.result() for future in futures) / seconds


def _examples_between(workload: Workload, side: int, begin: float, end: float) -> float:
    """Loads examples continuously and returns how many were loaded between two times."""
    config, dataset = LoadingConfig(proc_side=side), workload.dataset
    times = []
    while not times or times[-1] < end:
        example = dataset.train[len(times) % len(dataset.train)]
        rng = np.random.default_rng([1, 0, len(times)])
        load_example_3d(example, dataset.joint_info, config, True, rng, workload.pools)
        times.append(time.time())
    return float(np.diff(np.searchsorted(times, [begin, end]))[0])


def best_times(functions: Sequence[Callable[[], None]], num_repeats: int = 7) -> list[float]:
    """Returns the CPU time of the fastest of a few calls of each function, in seconds.

    The functions take turns, so that a disturbance does not affect only one of them.
    """
    times = np.zeros((num_repeats, len(functions)))
    for repeat in range(num_repeats):
        for i, function in enumerate(functions):
            start = time.process_time()
            function()
            times[repeat, i] = time.process_time() - start
    return times.min(axis=0).tolist()


def _load_all(workload: Workload, config: LoadingConfig) -> None:
    dataset = workload.dataset
    for i, example in enumerate(dataset.train):
        rng = np.random.default_rng([1, 0, i])
        load_example_3d(example, dataset.joint_info, config, True, rng, workload.pools)


def _decode_all(workload: Workload) -> None:
    for example in workload.dataset.train:
        read_image(example.image_path)


def _warp_all(workload: Workload, side: int) -> None:
    center, scale = (_IMAGE_SIDE / 2, _IMAGE_SIDE / 2), side / _IMAGE_SIDE
    homography = np.vstack([cv2.getRotationMatrix2D(center, 10, scale), [0, 0, 1]])
    for example in workload.dataset.train:
        cv2.warpPerspective(read_image(example.image_path), homography, (side, side))


def generated_workload(folder: pathlib.Path, num_examples: int = _NUM_EXAMPLES) -> Workload:
    """Writes random JPEGs, a cache file, occluders and backgrounds to a folder and opens them."""
    joint_info = merged_joint_info("huge8")
    examples = [
        _generated_example(folder, joint_info.num_joints, seed) for seed in range(num_examples)
    ]
    write_cache(folder / "set.pkl", PoseDataset("set", joint_info, examples))
    write_occluders(folder / "occluders", synthetic_pools().occluders)
    backgrounds = [str(folder / f"background{seed}.jpg") for seed in range(num_examples)]
    for seed, path in enumerate(backgrounds):
        _write_jpeg(path, _BACKGROUND_SIDE, np.random.default_rng([seed, 1]))
    pools = AugmentationPools(OccluderTable(folder / "occluders"), backgrounds)
    return Workload(open_cache(folder / "set.pkl"), pools)


def _write_jpeg(path: str, side: int, rng: np.random.Generator) -> None:
    coarse = rng.uniform(0, 255, (side // 16, side // 16, 3)).astype(np.float32)
    image = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    image += rng.normal(0, 5, image.shape)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95]
    cv2.imwrite(path, np.clip(image, 0, 255).astype(np.uint8), quality)


def _generated_example(folder: pathlib.Path, num_joints: int, seed: int) -> Pose3DExample:
    rng = np.random.default_rng([seed, 0])
    side = _IMAGE_SIDE
    path = str(folder / f"{seed}.jpg")
    _write_jpeg(path, side, rng)
    mask = cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), side // 4, 1, -1)
    coords = np.full((num_joints, 3), np.nan, np.float32)
    coords[:24] = rng.normal((0, 0, 900), 400, (24, 3))
    camera = Camera(
        optical_center=[100, -4000, 900],
        intrinsic_matrix=[[1.5 * side, 0, side / 2], [0, 1.5 * side, side / 2], [0, 0, 1]],
    )
    box = np.array([0.2, 0.15, 0.6, 0.7], np.float32) * side
    camera.turn_towards(target_world_point=[0, 0, 900])
    return Pose3DExample(path, coords, box, camera, "set", encode_mask(mask))


if __name__ == "__main__":
    sys.exit(main())
