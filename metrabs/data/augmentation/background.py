"""Background replacement for examples with a person mask."""

from __future__ import annotations

import cv2
import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.pools import AugmentationPools
from metrabs.data.augmentation.sampling import uniform_in_disc
from metrabs.geometry.camera import Camera
from metrabs.geometry.reprojection import interpolation_flag, reproject_image


def replace_background(
    image: np.ndarray,
    mask: np.ndarray,
    pools: AugmentationPools,
    config: LoadingConfig,
    rng: np.random.Generator,
) -> np.ndarray:
    """Returns the person of an image in front of a random part of a random background.

    Args:
        image: uint8 [side, side, 3] RGB.
        mask: uint8 [side, side], 1 on the person, else 0.
        pools: Backgrounds to choose from.
        config: Interpolation and antialiasing of training.
        rng: Random generator.
    """
    background = pools.sample_background(rng)
    side = image.shape[0]
    zoom = rng.uniform(1.2, 1.5)
    shift = uniform_in_disc(rng) * side * 0.1
    old_camera = Camera.create2D(background.shape)
    new_camera = old_camera.zoom(zoom * side / min(background.shape[:2]), inplace=False)
    new_camera.center_principal_point((side, side)).shift_image(shift)
    background = reproject_image(
        background,
        old_camera,
        new_camera,
        (side, side),
        interp=interpolation_flag(config.image_interpolation_train),
        antialias_factor=config.antialias_train,
    )
    return cv2.copyTo(image, mask, background)
