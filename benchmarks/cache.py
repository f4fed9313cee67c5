"""Cache files of up to ten million examples: time to open, time to read one, memory per worker.

Run it as `python -m benchmarks.cache [--size=1e7] [--folder=DIR] [--json=FILE]` on an otherwise
idle machine. It writes files of generated annotations of 10^4, 10^5 ... examples up to the size,
each in turn, and deletes them; 10^7 examples need about 18 GB of disk while they are written. Each
is measured in a process of its own, like that of a data loading worker, in which examples are read
at random: first as it comes, which may have to wait for the disk, then again, when the system
holds these parts of the file in memory. The limit is for the latter. Pickled lists of examples are
measured beside it as long as they fit.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import pathlib
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.generated_cache import write_generated_cache
from benchmarks.report import Measurement, parse_options, report
from metrabs.data.examples import Example
from metrabs.data.storage.cache import open_cache

_SMALLEST = 10_000
_LARGEST_LIST = 100_000  # a list of ten million would need some 40 GB of memory
_NUM_READS = 10_000
_OPEN_LIMIT_S, _READ_LIMIT_S, _RSS_LIMIT_MB = 0.1, 50e-6, 200


class Figures(NamedTuple):
    """What is measured of one file.

    Attributes:
        open_s: seconds until examples can be read.
        first_read_s: seconds per example read at random for the first time.
        read_s: seconds of processor time per example read again, fastest of a few rounds.
        rss_mb: how much resident memory opening and reading adds to a process, MB.
    """

    open_s: float
    first_read_s: float
    read_s: float
    rss_mb: float


def main(arguments: Sequence[str]) -> None:
    """Runs the benchmarks and prints the table."""
    options = parse_options(arguments, str(__doc__), size=1e7, folder=tempfile.gettempdir())
    print(f"{'examples':>10}{'file MB':>9}{'write s':>9}{'open ms':>9}{'1st read us':>12}"
          f"{'read us':>9}{'RSS MB':>8}   as a pickled list:{'open ms':>10}{'RSS MB':>8}")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        size = min(_SMALLEST, int(options.size))
        while True:
            figures = measure_size(pathlib.Path(folder) / "cache.pkl", size)
            if size >= options.size:
                break
            size = min(10 * size, int(options.size))
    label = f"{size:.0e}".replace("e+0", "e").replace("e+", "e")
    report([
        Measurement(f"open_{label}", figures.open_s, "s", _OPEN_LIMIT_S, admitted_ratio=1),
        Measurement(f"read_{label}", figures.read_s, "s", _READ_LIMIT_S, admitted_ratio=1),
        Measurement(f"rss_{label}", figures.rss_mb, "MB", _RSS_LIMIT_MB, admitted_ratio=1),
    ], options.json)


def measure_size(path: pathlib.Path, size: int) -> Figures:
    """Writes a file of a size, measures it, prints a row of the table and deletes the file."""
    start = time.perf_counter()
    write_generated_cache(path, size)
    write_s = time.perf_counter() - start
    figures = in_new_process(measure_cache, path)
    print(f"{size:>10}{path.stat().st_size / 1e6:>9.0f}{write_s:>9.1f}{figures.open_s * 1e3:>9.1f}"
          f"{figures.first_read_s * 1e6:>12.1f}{figures.read_s * 1e6:>9.1f}"
          f"{figures.rss_mb:>8.1f}", end="")
    if size <= _LARGEST_LIST:
        in_new_process(write_list, path)
        as_list = in_new_process(measure_list, path)
        print(f"{as_list.open_s * 1e3:>31.1f}{as_list.rss_mb:>8.1f}", end="")
        path.with_suffix(".list").unlink()
    print(flush=True)
    path.unlink()
    return figures


def in_new_process(function: Callable[[pathlib.Path], Any], path: pathlib.Path) -> Any:
    """Returns what a function returns in a new interpreter."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
        return pool.submit(function, path).result()


def measure_cache(path: pathlib.Path) -> Figures:
    """Measures a cache file in this process."""
    return _measure(lambda: open_cache(path).train)


def measure_list(path: pathlib.Path) -> Figures:
    """Measures a pickled list of examples in this process."""
    return _measure(lambda: pickle.loads(path.with_suffix(".list").read_bytes()))


def write_list(path: pathlib.Path) -> None:
    """Writes the examples of a cache file as a pickled list beside it."""
    examples = list(open_cache(path).train)
    path.with_suffix(".list").write_bytes(pickle.dumps(examples, protocol=5))


def _measure(open_examples: Callable[[], Sequence[Example]]) -> Figures:
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
    return Figures(open_s, first_read_s, min(times), (_resident_bytes() - before) / 1e6)


def _read_all(examples: Sequence[Example], indices: Sequence[int]) -> None:
    for index in indices:
        examples[index]


def _resident_bytes() -> int:
    num_pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return num_pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main(sys.argv[1:])
