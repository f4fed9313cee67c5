"""Speed of rendering synthetic person crops of 256 px, JPEG compression included.

    python -m benchmarks.rendering [--json=FILE]

on an otherwise idle machine. Two processes should render 100 images per second.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import sys
import time
from collections.abc import Sequence
from typing import Optional

import cv2
import numpy as np

from benchmarks.report import BenchmarkSettings, Measurement, run_benchmark
from metrabs.synthetic.photo import encode_jpeg
from metrabs.synthetic.scene import render_person_crop
from metrabs.synthetic.styles import STYLES, find_style

_NUM_IMAGES = 400
_CHUNK = 25
_IMAGES_PER_SECOND = 100.0  # target for two processes


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_benchmark(__doc__, measure, arguments)


def measure(settings: BenchmarkSettings) -> list[Measurement]:
    """Measures one and two processes; takes no settings besides those of all benchmarks."""
    return [
        Measurement(
            "render_256",
            images_per_second(2),
            "images/s",
            _IMAGES_PER_SECOND,
            admitted_ratio=1,
            higher_is_better=True,
        ),
        Measurement(
            "render_256_one_process", images_per_second(1), "images/s", higher_is_better=True
        ),
    ]


def images_per_second(num_workers: int) -> float:
    """Measures how fast a mixture of all styles is rendered.

    Args:
        num_workers: Number of processes that render at the same time.
    """
    context = multiprocessing.get_context("spawn")
    starts = range(0, _NUM_IMAGES, _CHUNK)
    with concurrent.futures.ProcessPoolExecutor(num_workers, context) as executor:
        list(executor.map(_render_images, range(num_workers * 2)))  # warm up
        begin = time.perf_counter()
        list(executor.map(_render_images, starts))
        return _NUM_IMAGES / (time.perf_counter() - begin)


def _render_images(start: int) -> None:
    cv2.setNumThreads(1)
    names = list(STYLES)
    for index in range(start, start + _CHUNK):
        rng = np.random.default_rng(index)
        style = find_style(names[index % len(names)])
        encode_jpeg(rng, render_person_crop(rng, style).image, style.photo)


if __name__ == "__main__":
    sys.exit(main())
