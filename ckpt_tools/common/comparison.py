"""The distance between the predictions of two crop models, on crops of smooth noise."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from metrabs.estimator.crop_prediction import CropPredictor

_FIELD_OF_VIEW_DEGREES = 20.0


def largest_difference_mm(
    first: CropPredictor, second: CropPredictor, proc_side: int, num_crops: int = 3, seed: int = 0
) -> float:
    """Returns the largest distance between joints that two models predict, in mm.

    Crops are given one at a time, since the original reconstruction mixes the examples of a
    batch.

    Args:
        first, second: Functions (crops `[n, S, S, 3]` float32 in 0..1, intrinsics `[n, 3, 3]`) ->
            poses `[n, J, 3]` in mm.
        proc_side: Side S of the crops in pixels.
        num_crops: Number of crops to compare on.
        seed: Random seed of the noise.
    """
    crops, intrinsics = noise_crops(np.random.default_rng(seed), num_crops, proc_side)
    distances = [
        np.linalg.norm(
            np.asarray(first(crop[np.newaxis], camera[np.newaxis]), np.float64)
            - np.asarray(second(crop[np.newaxis], camera[np.newaxis]), np.float64),
            axis=-1,
        ).max()
        for crop, camera in zip(crops, intrinsics)
    ]
    return float(max(distances))


def noise_crops(
    rng: np.random.Generator, num_crops: int, proc_side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns crops `[n, S, S, 3]` of smooth noise in 0..1 and intrinsics `[n, 3, 3]`, float32.

    All values are multiples of 1/1024, which float16 represents exactly.
    """
    coarse = rng.uniform(0, 1, [num_crops, 12, 12, 3]).astype(np.float32)
    crops = tf.image.resize(coarse, [proc_side, proc_side], method="bicubic").numpy()
    crops = np.rint(np.clip(crops, 0, 1) * 1024) / 1024
    focal = proc_side / 2 / np.tan(np.deg2rad(_FIELD_OF_VIEW_DEGREES) / 2)
    camera = np.array([[focal, 0, proc_side / 2], [0, focal, proc_side / 2], [0, 0, 1]])
    return crops.astype(np.float32), np.tile(camera.astype(np.float32), [num_crops, 1, 1])
