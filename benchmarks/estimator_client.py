"""Measures an exported estimator as its users see it: TensorFlow alone, in a process of its own.

    python -I benchmarks/estimator_client.py EXPORT_FOLDER

prints JSON: seconds for loading and for the first call, peak memory, and for each setting the
seconds of a call and of the crop model alone on the same number of ready crops. If the export is a
crop model alone, only loading and the first call are measured.
"""

from __future__ import annotations

import functools
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

# name -> height and width of the image, number of boxes, number of views.
SETTINGS = {
    "480p_2boxes_1aug": (480, 640, 2, 1),
    "480p_2boxes_5aug": (480, 640, 2, 5),
    "1080p_8boxes_1aug": (1080, 1920, 8, 1),
    "1080p_8boxes_5aug": (1080, 1920, 8, 5),
}
_FIRST = SETTINGS["480p_2boxes_1aug"]  # the setting of the first call
_MIN_RUNS, _MAX_RUNS, _MAX_SECONDS = 3, 15, 20.0


def main(export: str) -> None:
    """Runs everything and prints the results."""
    start = time.perf_counter()
    model = tf.saved_model.load(export)
    loaded = time.perf_counter()
    has_estimator = hasattr(model, "estimate_poses")
    crop_model = model.crop_model if has_estimator else model
    side = int(crop_model.input_resolution.numpy())
    image, boxes = make_input(*_FIRST[:3])
    first_call = _bare_network(crop_model, _FIRST[2], side)
    if has_estimator:
        first_call = functools.partial(model.estimate_poses, image, boxes)
    start_call = time.perf_counter()
    first_call()
    results: dict[str, Any] = {
        "load_s": loaded - start,
        "first_call_s": time.perf_counter() - start_call,
    }
    if has_estimator:
        results.update(measure_calls(model, side))
    print(json.dumps(results))


def measure_calls(model: Any, side: int) -> dict[str, Any]:
    """Measures each setting, and the peak memory without and with the estimator.

    Args:
        model: A loaded estimator.
        side: Side of the network's input in pixels.
    """
    results: dict[str, Any] = {}
    # The bare network with the most crops goes first, since peak memory cannot be reset.
    for name, setting in sorted(SETTINGS.items(), key=lambda item: -item[1][2] * item[1][3]):
        bare = _bare_network(model.crop_model, setting[2] * setting[3], side)
        bare()
        results.setdefault("bare_peak_mb", _peak_megabytes())
        image, boxes = make_input(*setting[:3])
        seconds, bare_seconds = _least_seconds(
            functools.partial(model.estimate_poses, image, boxes, num_aug=setting[3]), bare
        )
        results[name] = {"call_s": seconds, "bare_s": bare_seconds}
    results["peak_mb"] = _peak_megabytes()
    return results


def make_input(height: int, width: int, num_boxes: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a noise image and boxes of standing people, 0.3 to 0.8 of its height."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    sizes = rng.uniform(0.3, 0.8, size=(num_boxes, 1)) * [height / 2, height]
    corners = rng.uniform(0, 0.2, sizes.shape) * height
    return tf.constant(image), tf.constant(np.concatenate([corners, sizes], 1), tf.float32)


def _bare_network(crop_model: Any, num_crops: int, side: int) -> Callable[[], Any]:
    crops = tf.random.stateless_uniform([num_crops, side, side, 3], seed=[1, 2])
    camera = tf.constant([[2.0 * side, 0, side / 2], [0, 2.0 * side, side / 2], [0, 0, 1]])
    cameras = tf.tile(camera[tf.newaxis], [num_crops, 1, 1])
    return lambda: crop_model.predict_multi_float32(crops, cameras).numpy()


def _least_seconds(*functions: Callable[[], Any]) -> list[float]:
    """Times functions in turns; the shortest time is the one least disturbed by other programs."""
    durations: list[list[float]] = [[] for _ in functions]
    begin = time.perf_counter()
    for run in range(_MAX_RUNS):
        if run >= _MIN_RUNS and time.perf_counter() - begin > _MAX_SECONDS:
            break
        for function, results in zip(functions, durations):
            start = time.perf_counter()
            function()
            results.append(time.perf_counter() - start)
    return [min(results) for results in durations]


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts kilobytes


if __name__ == "__main__":
    main(sys.argv[1])
