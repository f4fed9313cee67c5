"""Choosing a person detector by name."""

from __future__ import annotations

import pathlib
from typing import Any

import tensorflow as tf

from metrabs.errors import UserError
from metrabs.estimator.detectors.contract import check_detector
from metrabs.estimator.detectors.efficientdet import EfficientDet, build_person_detector
from metrabs.estimator.detectors.yolov4 import STRUCTURES, build_yolov4_detector

DEFAULT_DETECTOR = EfficientDet.model_name
CHOICES = (
    f"'{DEFAULT_DETECTOR}' (built in), 'yolov4:PATH' or 'yolov4-tiny:PATH' (weights file of "
    "darknet), 'none', or the SavedModel folder of another detector"
)


def build_detector(name: str, tiles_per_side: int = 1) -> Any:
    """Builds or loads a detector.

    Args:
        name: one of `CHOICES`.
        tiles_per_side: see `PersonDetector`; other people's detectors have none.

    Returns:
        The detector, or None for 'none'.

    Raises:
        UserError: unknown name, unsuitable file, or tiles of a detector that has none.
    """
    if name == DEFAULT_DETECTOR:
        return build_person_detector(tiles_per_side=tiles_per_side)
    kind, _, path = name.partition(":")
    if kind in STRUCTURES:
        if not path:
            raise UserError(f"'{name}' needs a weights file of darknet: '{kind}:PATH'.")
        return build_yolov4_detector(kind, path, tiles_per_side=tiles_per_side)
    if tiles_per_side != 1:
        raise UserError(f"The detector '{name}' cannot be given tiles; use a built-in one.")
    return None if name == "none" else _load(name)


def _load(path: str) -> Any:
    if not pathlib.Path(path, "saved_model.pb").exists():
        raise UserError(f"Unknown detector '{path}'. Known: {CHOICES}.")
    detector = tf.saved_model.load(path)
    check_detector(detector, path)
    detector.description = f"savedmodel:{pathlib.Path(path).resolve().name}"
    return detector
