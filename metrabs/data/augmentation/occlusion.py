"""Synthetic occlusion: pasted objects and erased rectangles."""

from __future__ import annotations

import cv2
import numpy as np

from metrabs.data.augmentation.pools import AugmentationPools, Occluder


def paste_objects(
    image: np.ndarray, pools: AugmentationPools, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """Returns a copy of a square image with one to six objects pasted over it.

    Args:
        image: uint8 [side, side, 3] RGB.
        pools: Occluders to choose from.
        scale: Factor on the size of the objects; at 1 they have 0.2 to 1 times their own size in
            an image of 256 pixels.
        rng: Random generator.
    """
    image = image.copy()
    side = image.shape[0]
    for _ in range(rng.integers(1, 7)):
        occluder = pools.sample_item(pools.occluders, rng)
        factor = rng.uniform(0.2, 1.0) * (side / 256) * scale
        occluder = Occluder(resized(occluder.image, factor), resized(occluder.alpha, factor))
        _paste(image, occluder, rng.uniform(0, side, size=2))
    return image


def erase_rectangle(image: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Returns a copy of a square image in which a random rectangle is noise.

    Args:
        image: uint8 [side, side, 3].
        scale: Factor on the area, which is up to a third of the image at 1.
        rng: Random generator.
    """
    image = image.copy()
    side = image.shape[0]
    while True:
        area = rng.uniform(0, 1 / 3) * side**2 * scale
        aspect = rng.uniform(0.3, 1 / 0.3)
        size_xy = np.sqrt([area / aspect, area * aspect])
        start = rng.uniform(0, side, size=2)
        stop = start + size_xy
        if (stop < side).all():
            break
    left, top = start.astype(int)
    right, bottom = stop.astype(int)
    shape = (bottom - top, right - left, 3)
    image[top:bottom, left:right] = rng.integers(0, 255, size=shape, dtype=np.uint8)
    return image


def soften_mask(mask: np.ndarray) -> np.ndarray:
    """Returns float32 alpha of an object mask: 1 inside, 0.75 along the border, 0 outside.

    Args:
        mask: [h, w], uint8 or bool, 0 or 1.
    """
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (8, 8))
    mask = np.asarray(mask, np.uint8)
    eroded = cv2.erode(mask, element)
    alpha = mask.astype(np.float32)
    alpha[eroded < mask] = 0.75
    return alpha


def resized(image: np.ndarray, factor: float) -> np.ndarray:
    """Returns an image [h, w(, channels)] scaled by a factor, at least one pixel wide and high."""
    height, width = image.shape[:2]
    size_wh = (max(1, round(width * factor)), max(1, round(height * factor)))
    interpolation = cv2.INTER_LINEAR if factor > 1 else cv2.INTER_AREA
    return cv2.resize(image, size_wh, interpolation=interpolation)


def _paste(image: np.ndarray, occluder: Occluder, center_xy: np.ndarray) -> None:
    size_xy = np.array(occluder.alpha.shape[1::-1])
    start = np.rint(center_xy.astype(np.float32)).astype(int) - size_xy // 2
    left, top = np.maximum(start, 0)
    right, bottom = np.minimum(start + size_xy, image.shape[1::-1])
    if left >= right or top >= bottom:
        return
    inside = np.s_[top - start[1] : bottom - start[1], left - start[0] : right - start[0]]
    alpha = occluder.alpha[inside][..., np.newaxis]
    target = image[top:bottom, left:right]
    target[...] = alpha * occluder.image[inside] + (1 - alpha) * target
