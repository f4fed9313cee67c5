"""Speed of loading training examples compared to decoding the image and warping it once.

Examples have a JPEG of 420 pixels, a person mask and 555 joints, and get every augmentation with
the default settings; objects come from a table and backgrounds from JPEGs of 512 pixels, as with
prepared pictures. Run it as `python -m benchmarks.loading [--json=FILE] [--only=NAME]` on an
otherwise idle machine. Beside one core's rate stands that of decoding plus one warp; beside a
stage, all stages; beside the stream, what as many processes load at the same time on their own,
without batches and without handing them over; and beside these, so many times one of them alone,
which tells how far the machine's cores are independent.
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

import cv2
import numpy as np

from benchmarks.report import Measurement, parse_options, report
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
from metrabs.skeletons.tables import merged_joint_info

_IMAGE_SIDE, _BACKGROUND_SIDE = 420, 512
_NUM_EXAMPLES = 32
_BATCH_SIZE = 96
_NUM_STREAMED_BATCHES = 8  # per worker and round
_NUM_ROUNDS = 3
_EXAMPLES_PER_SECOND = 150  # asked of one core
_ADMITTED_SHARE = 0.9  # of the stream, of what its processes load on their own
# The stages of loading: what each adds to the settings of those before it.
_STAGES = {
    "crop": {"background_aug_prob": 0.0, "occlude_aug_prob": 0.0, "color_aug": False},
    "background": {"occlude_aug_prob": 0.0, "color_aug": False},
    "occlusion": {"color_aug": False},
    "colour": {},
}


@dataclasses.dataclass(frozen=True)
class Workload:
    """What is loaded: a dataset whose training examples are used, and what is pasted."""

    dataset: PoseDataset
    pools: AugmentationPools


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmarks and prints the table."""
    options = parse_options(arguments, str(__doc__), only="")
    cv2.setNumThreads(1)
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        workload = generated_workload(pathlib.Path(folder))
        for side in (256, 384):
            if options.only in f"full_augmentation_{side}":
                measurements += augmentation_measurements(workload, side)
        if options.only in "stream_256":
            measurements += stream_measurements(workload, 256)
    report(measurements, options.json)


def augmentation_measurements(workload: Workload, side: int) -> list[Measurement]:
    """Measures one core: the whole rate, and the time of each stage.

    Args:
        workload: what is loaded.
        side: of the crops, pixels.
    """
    configs = [LoadingConfig(proc_side=side, **changes) for changes in _STAGES.values()]
    loads = [functools.partial(_load_all, workload, config) for config in configs]
    bare, decoding, *cumulative = best_times(
        [lambda: _warp_all(workload, side), lambda: _decode_all(workload), *loads]
    )
    num = len(workload.dataset.train)
    whole = cumulative[-1]
    name = f"full_augmentation_{side}"
    rate = Measurement(name, num / whole, "ex/s/core", num / bare,
                       _EXAMPLES_PER_SECOND * bare / num, higher_is_better=True)
    times = zip(["decoding", *_STAGES], np.diff([0, decoding, *cumulative]))
    return [rate, *(
        Measurement(f"{name}_{stage}", 1e3 * seconds / num, "ms/ex", 1e3 * whole / num)
        for stage, seconds in times
    )]


def stream_measurements(workload: Workload, side: int) -> list[Measurement]:
    """Measures the training pipeline with all cores, and with fewer."""
    num_cores = len(os.sched_getaffinity(0))
    counts = [2**i for i in range(num_cores.bit_length()) if 2**i < num_cores] + [num_cores]
    measurements: list[Measurement] = []
    single = None
    for count in counts:
        name = f"stream_{side}" + (f"_{count}_workers" if count < num_cores else "")
        stream, apart = _best_rates(workload, side, count)
        single = single or apart
        measurements += [
            Measurement(name, stream, "ex/s", apart, _ADMITTED_SHARE, higher_is_better=True),
            Measurement(f"{name}_apart", apart, "ex/s", count * single, higher_is_better=True),
        ]
    return measurements


def _best_rates(workload: Workload, side: int, num_workers: int) -> tuple[float, float]:
    """The rates of stream and processes apart in turns; other programs make them smaller."""
    rounds = [
        (stream_rate(workload, side, num_workers), rate_apart(workload, side, num_workers))
        for _ in range(_NUM_ROUNDS)
    ]
    streams, apart = zip(*rounds)
    return max(streams), max(apart)


def stream_rate(workload: Workload, side: int, num_workers: int) -> float:
    """Returns how many examples per second the training pipeline delivers in batches of 96."""
    config = Config().replace(proc_side=side, batch_size=_BATCH_SIZE, workers=num_workers)
    num_warmup, num_timed = 3 * num_workers, _NUM_STREAMED_BATCHES * num_workers
    # There are more batches to come, so that all workers are at work to the end.
    num_steps = num_warmup + num_timed + 3 * num_workers
    batches = training_batches(workload.dataset, None, config, 0, num_steps, workload.pools)
    for _ in range(num_warmup):
        next(batches)
    start = time.perf_counter()
    for _ in range(num_timed):
        next(batches)
    return num_timed * _BATCH_SIZE / (time.perf_counter() - start)


def rate_apart(
    workload: Workload, side: int, num_processes: int, seconds: float = 4.0, lead: float = 3.0
) -> float:
    """Returns how many examples per second processes load that have nothing to do but that.

    Args:
        workload: what is loaded.
        side: of the crops, pixels.
        num_processes: that load at the same time.
        seconds: how long.
        lead: seconds before, in which they get ready.
    """
    pool = process_pool(num_processes, os.environ.get("DATA_ROOT", ""))
    begin = time.time() + lead
    futures = [
        pool.submit(_examples_between, workload, side, begin, begin + seconds)
        for _ in range(num_processes)
    ]
    return sum(future.result() for future in futures) / seconds


def _examples_between(workload: Workload, side: int, begin: float, end: float) -> float:
    """Loads examples all the time and returns how many from one time to another."""
    config, dataset = LoadingConfig(proc_side=side), workload.dataset
    times = []
    while not times or times[-1] < end:
        example = dataset.train[len(times) % len(dataset.train)]
        rng = np.random.default_rng([1, 0, len(times)])
        load_example_3d(example, dataset.joint_info, config, True, rng, workload.pools)
        times.append(time.time())
    return float(np.diff(np.searchsorted(times, [begin, end]))[0])


def best_times(functions: Sequence[Callable[[], None]], num_repeats: int = 7) -> list[float]:
    """Returns the processor time of the fastest of a few calls of each function, in seconds.

    The functions take turns, so that a disturbance does not hit one of them alone.
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
    """Writes random JPEGs, a cache file, objects and backgrounds to a folder and opens them."""
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
    main(sys.argv[1:])
