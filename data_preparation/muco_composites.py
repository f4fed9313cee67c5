"""Composing images of four people from images of one person, in the order of their depths.

The composition follows the authors of MuCo-3DHP; see `data_preparation.muco_sources`.
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
    """The parts of a composite.

    Attributes:
        frames: View and position among its extracted frames, for each person.
        gammas: Exponent that brightens the image, for each person.
    """

    frames: list[tuple[View, int]]
    gammas: list[float]


def compose(number: int, num_frames: Mapping[View, int], seed: int) -> Composition:
    """Draws the parts of a composite: one camera, four people.

    Args:
        number: Number of the composite; each has separate random numbers.
        num_frames: Number of frames of each view that may appear.
        seed: Random seed of all composites.
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
    """Returns the composite, uint8 `[h, w, 3]`: the other people pasted on the farthest image."""
    farthest, *others = reversed(depth_order(sources))
    canvas = _brightened(sources[farthest].image, gammas[farthest])
    for i in others:
        _paste(canvas, sources[i], gammas[i])
    return np.round(canvas * 255).astype(np.uint8)


def visible_masks(sources: Sequence[Source]) -> list[np.ndarray]:
    """Returns where each person is not hidden by nearer people or chairs, bool `[h, w]` each."""
    is_hidden = np.zeros(sources[0].image.shape[:2], bool)
    visible: list[np.ndarray] = [is_hidden] * len(sources)
    for i in depth_order(sources):
        is_person = sources[i].person_mask()
        visible[i] = is_person & ~is_hidden
        is_hidden = is_hidden | is_person | sources[i].chair_mask()
    return visible


def visible_box(source: Source, is_visible: np.ndarray) -> Optional[np.ndarray]:
    """Returns the box `[4]` of the visible part of a person, or None if there is none.

    Vertically it is limited by the box of the joints.
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
    """Pastes a person with their chair onto a canvas, in place."""
    person = cv2.GaussianBlur(source.person_levels, (0, 0), _MASK_BLUR_PX)
    left, top, width, height = cv2.boundingRect(
        ((person > 0) | (source.chair_levels < 255)).astype(np.uint8)
    )
    region = np.s_[top : top + height, left : left + width]
    image = _brightened(source.image[region], gamma)
    for levels in (255 - source.chair_levels[region], person[region]):
        alpha = levels[..., np.newaxis].astype(np.float32) / 255
        canvas[region] += alpha * (image - canvas[region])
