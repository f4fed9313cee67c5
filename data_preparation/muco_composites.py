"""Composing images of four people from images of one, in the order of their depths.

The recipe is that of MuCo-3DHP's authors; see `data_preparation.muco_sources`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

import cv2
import numpy as np

from data_preparation.muco_sources import Source
from metrabs.datasets.mpi_inf_3dhp_train import View
from metrabs.geometry import boxes

NUM_PEOPLE = 4
_MIN_GAMMA, _GAMMA_RANGE = 0.7, 0.1
_MASK_BLUR_PX = 2.0
_BOX_FACTOR = 1.05
_PELVIS = -1  # the last of the 28 joints


class Composition(NamedTuple):
    """What a composite is made of.

    Attributes:
        frames: view and position among its extracted frames, of each person.
        gammas: exponent by which each person's image is brightened.
    """

    frames: list[tuple[View, int]]
    gammas: list[float]


def compose(number: int, num_frames: Mapping[View, int], seed: int) -> Composition:
    """Draws what a composite is made of: one camera, four people.

    Args:
        number: of the composite; each has random numbers of its own.
        num_frames: how many frames of each view may appear.
        seed: of all composites.
    """
    rng = np.random.default_rng([seed, number])
    cameras = sorted({view.camera for view, count in num_frames.items() if count})
    camera = cameras[rng.integers(len(cameras))]
    views = [view for view, count in num_frames.items() if view.camera == camera and count]
    frames = []
    for _ in range(NUM_PEOPLE):
        view = views[rng.integers(len(views))]
        frames.append((view, int(rng.integers(num_frames[view]))))
    gammas = _MIN_GAMMA + _GAMMA_RANGE * rng.random(NUM_PEOPLE)
    return Composition(frames, gammas.tolist())


def depth_order(sources: Sequence[Source]) -> list[int]:
    """Returns the indices of the people, the nearest pelvis first."""
    return [int(i) for i in np.argsort([s.joints_mm[_PELVIS, 2] for s in sources])]


def render(sources: Sequence[Source], gammas: Sequence[float]) -> np.ndarray:
    """Returns the composite, uint8 [h, w, 3]: the farthest image, the others pasted on it."""
    farthest, *others = reversed(depth_order(sources))
    canvas = _brightened(sources[farthest].image, gammas[farthest])
    for i in others:
        _paste(canvas, sources[i], gammas[i])
    return np.round(canvas * 255).astype(np.uint8)


def visible_masks(sources: Sequence[Source]) -> list[np.ndarray]:
    """Returns, for each person, bool [h, w]: where nobody nearer, or their chair, hides them."""
    is_hidden = np.zeros(sources[0].image.shape[:2], bool)
    visible: list[np.ndarray] = [is_hidden] * len(sources)
    for i in depth_order(sources):
        is_person = sources[i].person_mask()
        visible[i] = is_person & ~is_hidden
        is_hidden = is_hidden | is_person | sources[i].chair_mask()
    return visible


def visible_box(source: Source, is_visible: np.ndarray) -> Optional[np.ndarray]:
    """Returns the box [4] of what is visible of a person, None if that is nothing.

    It reaches no further up and down than the box of the joints.
    """
    points = cv2.findNonZero(is_visible.astype(np.uint8))
    if points is None:
        return None
    box = np.array(cv2.boundingRect(points), np.float32)
    frame = boxes.full(source.image.shape[1::-1])
    joints_px = source.camera.camera_to_image(source.joints_mm)
    joints = boxes.expand(boxes.intersection(boxes.bounding_box(joints_px), frame), _BOX_FACTOR)
    rows = boxes.intersection(box, [box[0], joints[1], box[2], joints[3]])
    return rows if rows[3] > 0 else None


def _brightened(image: np.ndarray, gamma: float) -> np.ndarray:
    """Returns float32 colours in 0..1."""
    return cv2.LUT(image, ((np.arange(256) / 255) ** gamma).astype(np.float32))


def _paste(canvas: np.ndarray, source: Source, gamma: float) -> None:
    """Pastes a person with their chair onto a canvas, in place, where there is any of them."""
    person = cv2.GaussianBlur(source.person_levels, (0, 0), _MASK_BLUR_PX)
    left, top, width, height = cv2.boundingRect(
        ((person > 0) | (source.chair_levels < 255)).astype(np.uint8))
    region = np.s_[top:top + height, left:left + width]
    image = _brightened(source.image[region], gamma)
    for levels in (255 - source.chair_levels[region], person[region]):
        alpha = levels[..., np.newaxis].astype(np.float32) / 255
        canvas[region] += alpha * (image - canvas[region])
