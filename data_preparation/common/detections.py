"""Person detections in full images: precomputed, or made by a detector.

Precomputed results are pickles: a file with a dict from image path (relative to the dataset's
folder) to boxes, or a folder with one file per video, a list with the boxes of each frame. Boxes
are `[n, 5]`: left, top, width, height in pixels, confidence. A detector is given as a string:

* 'efficientdet': the built-in one;
* the folder of a SavedModel with `predict_multi_image` as in `metrabs.estimator.detectors`;
* 'package.module:function': a function from a uint8 `[h, w, 3]` RGB image to boxes `[n, 5]`.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Optional, Protocol, Union

import numpy as np

from metrabs.datasets.readers import read_pickle
from metrabs.errors import UserError
from metrabs.importing import import_from_string

Image = Union[np.ndarray, Callable[[], np.ndarray]]
Detector = Callable[[np.ndarray], np.ndarray]

# As used in the original preprocessing wherever it ran the detector itself.
_THRESHOLD, _NMS_IOU = 0.2, 0.7


class DetectionSource(Protocol):
    """Provides the boxes of people in images."""

    def find(self, key: str, image: Image) -> Optional[np.ndarray]:
        """Returns float32 `[n, 5]` boxes, or None if there is no result for this image.

        Args:
            key: Path of the image, or path of the video, a colon and the number of the frame.
            image: uint8 `[h, w, 3]` RGB, or a function that returns it.
        """


class DetectionFiles:
    """Precomputed detections: a file for all images, or a folder with a file per video.

    Args:
        path: The file or folder.
    """

    def __init__(self, path: str) -> None:
        self._path = pathlib.Path(path)
        self._of_images: dict[str, Any] = {}
        if not self._path.is_dir():
            content = read_pickle(path)
            if not isinstance(content, dict):
                raise UserError(
                    f"Detection file '{path}' holds a {type(content).__name__}; expected a dict "
                    "from image paths to boxes [n, 5]."
                )
            self._of_images = content

    def find(self, key: str, image: Image) -> Optional[np.ndarray]:
        """Looks up the boxes of an image or frame; see `DetectionSource`."""
        found = self._of_images.get(key)
        if found is None and self._path.is_dir():
            found = self._of_frame(*key.rpartition(":")[::2])
        return None if found is None else as_boxes(found, f"{self._path}, {key}")

    def _of_frame(self, video: str, frame: str) -> Any:
        path = (self._path / video).with_suffix(".pkl")
        if not video or not path.exists():
            return None
        frames = _read_video_detections(str(path))
        return frames[int(frame)] if int(frame) < len(frames) else None


class RunningDetector:
    """Detections made by a detector on demand.

    Args:
        detector: Function from an image to boxes `[n, 5]`.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def find(self, key: str, image: Image) -> Optional[np.ndarray]:
        """Detects people; see `DetectionSource`."""
        return as_boxes(self._detector(image() if callable(image) else image), key)


class NullDetections:
    """Used where neither results nor a detector are given."""

    def find(self, key: str, image: Image) -> Optional[np.ndarray]:
        """Returns None."""
        del key, image
        return None


class FallbackDetections:
    """Detections from the first of several sources that has a result.

    Args:
        sources: The sources, in the order in which they are asked.
    """

    def __init__(self, sources: Sequence[DetectionSource]) -> None:
        self._sources = sources

    def find(self, key: str, image: Image) -> Optional[np.ndarray]:
        """Returns the first result; see `DetectionSource`."""
        results = (source.find(key, image) for source in self._sources)
        return next((result for result in results if result is not None), None)


@functools.lru_cache(maxsize=2)
def load_detection_source(given: str, usual: tuple[str, ...], detector: str) -> DetectionSource:
    """Loads detection files and the detector, once per process.

    Args:
        given: File or folder of precomputed results; '' for none.
        usual: Default places of such results, of which the first that exists is used.
        detector: Detector for images without precomputed results; '' for none.

    Raises:
        UserError: something given cannot be loaded.
    """
    path = given or next((path for path in usual if os.path.exists(path)), "")
    sources: list[DetectionSource] = [DetectionFiles(path)] if path else []
    if detector:
        sources.append(RunningDetector(_load_detector(detector)))
    return FallbackDetections(sources) if sources else NullDetections()


def as_boxes(value: Any, where: str) -> np.ndarray:
    """Returns detections as float32 `[n, 5]`; empty ones may have any shape.

    Raises:
        UserError: they have another shape.
    """
    try:
        found = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"Detections of '{where}' are not a table of numbers ({error})."
        ) from error
    if found.size == 0:
        return np.zeros((0, 5), np.float32)
    if found.ndim != 2 or found.shape[1] < 5:
        raise UserError(
            f"Detections of '{where}' have shape {found.shape}; expected [n, 5]: left, top, "
            "width, height, confidence."
        )
    return found[:, :5]


def import_tensorflow() -> Any:
    """Imports TensorFlow, which only networks need; in worker processes its resources are limited.

    There it uses one thread and no more GPU memory than it needs, since others work in parallel.
    """
    import tensorflow as tf

    if multiprocessing.parent_process() is not None:
        with contextlib.suppress(RuntimeError):  # it is in use and cannot be changed any more
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
    return tf


@functools.lru_cache(maxsize=4)
def _read_video_detections(path: str) -> Any:
    frames = read_pickle(path)
    if not isinstance(frames, (list, tuple, np.ndarray)):
        raise UserError(
            f"Detection file '{path}' holds a {type(frames).__name__}; expected a list with the "
            "boxes [n, 5] of each frame of a video."
        )
    return frames


def _load_detector(name: str) -> Detector:
    if ":" in name and not os.path.exists(name):
        return import_from_string(name)
    tf = import_tensorflow()
    if name == "efficientdet":
        from metrabs.estimator.detectors.efficientdet import build_person_detector

        model = build_person_detector()
    elif os.path.isdir(name):
        model = tf.saved_model.load(name)
    else:
        raise UserError(
            f"Unknown detector '{name}'. Give 'efficientdet', the folder of a SavedModel, or "
            "package.module:function."
        )

    def _detect(image: np.ndarray) -> np.ndarray:
        options = (tf.constant(_THRESHOLD), tf.constant(_NMS_IOU), tf.constant(False))
        return model.predict_multi_image(image[np.newaxis], *options, options[-1])[0].numpy()

    return _detect
