"""Cache files of up to ten million examples: time to open, time to read one, memory per worker.

    python -m benchmarks.cache [--size=1e7] [--folder=DIR] [--json=FILE]

on an otherwise idle machine. It writes and deletes files of 10^4, 10^5 ... generated annotations
up to the size, one at a time; 10^7 examples need about 18 GB of disk space. Each file is measured
in a process of its own, like that of a data loading worker, which reads examples at random: once
from a cold file, which may have to wait for the disk, and again with these parts of the file in
memory. The limit is for the latter. Pickled lists of examples are measured for comparison as long
as they fit.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import multiprocessing
import os
import pathlib
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from benchmarks.generated_cache import write_generated_cache
from benchmarks.report import BenchmarkSettings, Measurement, run_benchmark
from metrabs.data.examples import Example
from metrabs.data.storage.cache import open_cache
from metrabs.settings import setting

_SMALLEST = 10_000
_LARGEST_LIST = 100_000  # a list of ten million would need some 40 GB of memory
_NUM_READS = 10_000
_OPEN_LIMIT_S, _READ_LIMIT_S, _RSS_LIMIT_MB = 0.1, 50e-6, 200


@dataclasses.dataclass(frozen=True)
class CacheBenchmarkSettings(BenchmarkSettings):
    """Settings of this benchmark."""

    size: float = setting(1e7, "number of examples in the largest file", at_least=1)
    folder: str = setting(tempfile.gettempdir(), "folder for the files")


class AccessCosts(NamedTuple):
    """Measurements of one file.

    Attributes:
        open_s: Seconds until examples can be read.
        first_read_s: Seconds per example read at random for the first time.
        read_s: Seconds of CPU time per example read again, fastest of a few rounds.
        rss_mb: Resident memory that opening and reading adds to a process, MB.
    """

    open_s: float
    first_read_s: float
    read_s: float
    rss_mb: float


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_benchmark(__doc__, measure, arguments, CacheBenchmarkSettings)


def measure(settings: CacheBenchmarkSettings) -> list[Measurement]:
    """Measures files of growing size, printing a row for each, and returns those of the last."""
    print(
        f"{'examples':>10}{'file MB':>9}{'write s':>9}{'open ms':>9}{'1st read us':>12}"
        f"{'read us':>9}{'RSS MB':>8}   as a pickled list:{'open ms':>10}{'RSS MB':>8}"
    )
    with tempfile.TemporaryDirectory(dir=settings.folder) as folder:
        size = min(_SMALLEST, int(settings.size))
        while True:
            costs = measure_size(pathlib.Path(folder) / "cache.pkl", size)
            if size >= settings.size:
                break
            size = min(10 * size, int(settings.size))
    label = f"{size:.0e}".replace("e+0", "e").replace("e+", "e")
    return [
        Measurement(f"open_{label}", costs.open_s, "s", _OPEN_LIMIT_S, admitted_ratio=1),
        Measurement(f"read_{label}", costs.read_s, "s", _READ_LIMIT_S, admitted_ratio=1),
        Measurement(f"rss_{label}", costs.rss_mb, "MB", _RSS_LIMIT_MB, admitted_ratio=1),
    ]


def measure_size(path: pathlib.Path, size: int) -> AccessCosts:
    """Writes a file of a given size, measures it, prints a row and deletes the file."""
    start = time.perf_counter()
    write_generated_cache(path, size)
    write_s = time.perf_counter() - start
    costs = in_new_process(measure_cache, path)
    print(
        f"{size:>10}{path.stat().st_size / 1e6:>9.0f}{write_s:>9.1f}{costs.open_s * 1e3:>9.1f}"
        f"{costs.first_read_s * 1e6:>12.1f}{costs.read_s * 1e6:>9.1f}"
        f"{costs.rss_mb:>8.1f}",
        end="",
    )
    if size <= _LARGEST_LIST:
        in_new_process(write_list, path)
        as_list = in_new_process(measure_list, path)
        print(f"{as_list.open_s * 1e3:>31.1f}{as_list.rss_mb:>8.1f}", end="")
        path.with_suffix(".list").unlink()
    print(flush=True)
    path.unlink()
    return costs


def in_new_process(function: Callable[[pathlib.Path], Any], path: pathlib.Path) -> Any:
    """Returns what a function returns in a new interpreter."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, path).result()


def measure_cache(path: pathlib.Path) -> AccessCosts:
    """Measures a cache file in this process."""
    return _measure(lambda: open_cache(path).train)


def measure_list(path: pathlib.Path) -> AccessCosts:
    """Measures a pickled list of examples in this process."""
    return _measure(lambda: pickle.loads(path.with_suffix(".list").read_bytes()))


def write_list(path: pathlib.Path) -> None:
    """Writes the examples of a cache file as a pickled list next to it."""
    examples = list(open_cache(path).train)
    path.with_suffix(".list").write_bytes(pickle.dumps(examples, protocol=5))


def _measure(open_examples: Callable[[], Sequence[Example]]) -> AccessCosts:
    before = _resident_bytes()
    start = time.perf_counter()
    examples = open_examples()
    open_s = time.perf_counter() - start
    indices = np.random.default_rng(0).integers(0, len(examples), _NUM_READS).tolist()
    start = time.perf_counter()
    _read_all(examples, indices)
    first_read_s = (time.perf_counter() - start) / len(indices)
    times = []
    for _ in range(5):
        start = time.process_time()
        _read_all(examples, indices)
        times.append((time.process_time() - start) / len(indices))
    return AccessCosts(open_s, first_read_s, min(times), (_resident_bytes() - before) / 1e6)


def _read_all(examples: Sequence[Example], indices: Sequence[int]) -> None:
    for index in indices:
        examples[index]


def _resident_bytes() -> int:
    num_pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return num_pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
