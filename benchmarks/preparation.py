"""Speed of making the stored crop of a person, compared with decoding, one warp and encoding.

    python -m benchmarks.preparation [--json=FILE]

on an otherwise idle machine. A JPEG of 1920 x 1080 pixels with a person of 600 pixels, seen by a
camera with lens distortion, is decoded, rendered in linear light with antialiasing, and encoded.
The references are lower bounds: for the whole, decoding, one plain cubic warp and encoding; for
rendering, a cubic warp of the four times as many pixels that antialiasing needs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Optional

import cv2
import numpy as np

from benchmarks.report import BenchmarkSettings, Measurement, run_benchmark
from data_preparation.common.crop_geometry import CropPlan, plan_crop
from data_preparation.common.crop_images import render_crop, write_jpeg
from metrabs.data.examples import Pose3DExample
from metrabs.data.storage.images import read_image
from metrabs.geometry.camera import Camera

_IMSIZE_WH = (1920, 1080)
_BOX = np.array([900, 250, 250, 600], np.float32)
# Antialiasing alone warps four times as many pixels as the plain warp.
_ADMITTED_RATIO = 3.5


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_benchmark(__doc__, _measure_in_scratch_folder, arguments)


def _measure_in_scratch_folder(settings: BenchmarkSettings) -> list[Measurement]:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        return measure(pathlib.Path(folder))


def measure(folder: pathlib.Path, num_repeats: int = 20) -> list[Measurement]:
    """Measures the whole and its stages on a generated image.

    Args:
        folder: Folder for the image and the crop.
        num_repeats: Number of runs, of which the fastest counts.
    """
    source, target = str(folder / "image.jpg"), str(folder / "crop.jpg")
    write_jpeg(source, _generated_image())
    image = read_image(source)
    example = _example()
    plan = plan_crop(example, image.shape)
    crop = render_crop(image, plan)

    def _make_crop() -> None:
        decoded = read_image(source)
        write_jpeg(target, render_crop(decoded, plan_crop(example, decoded.shape)))

    whole, decode, render, encode, warp, fine_warp = (
        best_time(function, num_repeats)
        for function in (
            _make_crop,
            lambda: read_image(source),
            lambda: render_crop(image, plan),
            lambda: write_jpeg(target, crop),
            lambda: _bare_warp(image, plan, 1),
            lambda: _bare_warp(image, plan, 2),
        )
    )
    limit = decode + warp + encode
    rates = {
        "efficient_crop_1080p_rate": (whole, limit),
        "decode_1080p_rate": (decode, None),
        "render_1080p_rate": (render, fine_warp),
        "encode_crop_rate": (encode, None),
    }
    return [
        Measurement("efficient_crop_1080p", 1e3 * whole, "ms", 1e3 * limit, _ADMITTED_RATIO),
        *(
            Measurement(name, 1 / seconds, "ex/s/core", bare and 1 / bare, higher_is_better=True)
            for name, (seconds, bare) in rates.items()
        ),
    ]


def best_time(function: Callable[[], object], num_repeats: int) -> float:
    """Returns the CPU time of the fastest of several calls, in seconds."""
    times = []
    for _ in range(num_repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def _bare_warp(image: np.ndarray, plan: CropPlan, fineness: int) -> np.ndarray:
    """Warps the 8-bit image once, ignoring lens distortion, at a multiple of the size."""
    camera = plan.new_camera.scale_output(fineness, inplace=False)
    old = plan.old_camera.intrinsic_matrix @ plan.old_camera.R
    new = camera.intrinsic_matrix @ camera.R
    homography = old.astype(np.float64) @ np.linalg.inv(new.astype(np.float64))
    size_wh = (fineness * plan.imshape[1], fineness * plan.imshape[0])
    return cv2.warpPerspective(
        image, homography, size_wh, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    )


def _generated_image() -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (_IMSIZE_WH[1] // 24, _IMSIZE_WH[0] // 24, 3))
    image = cv2.resize(coarse.astype(np.float32), _IMSIZE_WH, interpolation=cv2.INTER_CUBIC)
    return np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)


def _example() -> Pose3DExample:
    camera = Camera(
        optical_center=(2000, 4500, 1500),
        intrinsic_matrix=[[1200, 0, 960], [0, 1200, 540], [0, 0, 1]],
        distortion_coeffs=[-0.2, 0.24, -0.001, -0.0016, -0.002],
    )
    camera.turn_towards(target_world_point=(100, 0, 900))
    camera.distortion_coeffs = np.array([-0.2, 0.24, -0.001, -0.0016, -0.002], np.float32)
    return Pose3DExample("image.jpg", np.zeros((1, 3), np.float32), _BOX, camera)


if __name__ == "__main__":
    sys.exit(main())
