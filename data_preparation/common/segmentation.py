"""Person masks of crops: precomputed, or made by a segmenter.

A segmenter is given as a string:

* the folder of a SavedModel that maps a uint8 [h, w, 3] RGB image and a float32 [4] box to the
  probability [h, w] that a pixel belongs to the person;
* 'package.module:function': a function of the same arguments that returns a mask [h, w], non-zero
  inside, or None.

Alternatively, another program makes the masks from the finished crops, and they are added when the
cache file is written: pickles of a dict from crop path to COCO run lengths. A key may be the whole
path or at least its last two parts.
"""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, Optional

import numpy as np

from data_preparation.common.detections import import_tensorflow
from metrabs.datasets.readers import read_pickle
from metrabs.errors import UserError
from metrabs.importing import import_from_string

Segmenter = Callable[[np.ndarray, np.ndarray], Optional[np.ndarray]]


class MaskFiles:
    """Precomputed masks of crops, by path.

    Args:
        path: A pickle, or a folder of pickles, all of which are used.

    Raises:
        UserError: the file does not exist or has other contents.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._masks: dict[str, Mapping[str, Any]] = {}
        files = sorted(path.glob("*.pkl")) if path.is_dir() else [path]
        if not files:
            raise UserError(f"Folder '{path}' has no mask files (*.pkl).")
        for file in files:
            content = read_pickle(file)
            if not isinstance(content, dict):
                raise UserError(
                    f"Mask file '{file}' holds a {type(content).__name__}; expected a dict from "
                    "crop paths to run-length encoded masks."
                )
            self._masks.update(content)

    def find(self, crop_path: str) -> Optional[Mapping[str, Any]]:
        """Returns the encoded mask of a crop, given its path relative to the data root."""
        parts = crop_path.split("/")
        keys = ("/".join(parts[start:]) for start in range(len(parts) - 1))
        return next((self._masks[key] for key in keys if key in self._masks), None)


@functools.lru_cache(maxsize=2)
def load_segmenter(name: str) -> Segmenter:
    """Loads a segmenter, once per process.

    Raises:
        UserError: it cannot be loaded.
    """
    if ":" in name and not os.path.exists(name):
        return import_from_string(name)
    if not os.path.isdir(name):
        raise UserError(
            f"Unknown segmenter '{name}'. Give the folder of a SavedModel, or "
            "package.module:function."
        )
    tf = import_tensorflow()
    model = tf.saved_model.load(name)
    return lambda image, box: model(tf.constant(image), tf.constant(box)).numpy() > 0.5
