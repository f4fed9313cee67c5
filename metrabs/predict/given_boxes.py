"""Boxes of people, given by the user in a file instead of a detector."""

from __future__ import annotations

import itertools
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.predict.sources import Frame, Source

_EXPECTED = (
    'JSON such as {"photo.jpg": [[left, top, width, height], ...]}, for videos {"clip.mp4": '
    '{"0": [[left, top, width, height], ...], "1": ...}} by frame, in pixels'
)


class GivenBoxes:
    """Boxes by name of the input; inputs and frames not in the file have none.

    Args:
        path: JSON file.

    Raises:
        UserError: the file is unreadable or has other content.
    """

    def __init__(self, path: PathLike) -> None:
        self._path = path
        try:
            content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
            self._boxes = {
                name: {int(index): _checked(boxes) for index, boxes in _by_frame(entry).items()}
                for name, entry in content.items()
            }
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"Cannot read boxes from '{path}' ({error}); expected {_EXPECTED}."
            ) from error

    def check_names(self, sources: Sequence[Source]) -> None:
        """Checks that the boxes belong to the inputs.

        Raises:
            UserError: none of the inputs has an entry.
        """
        if not any(source.name in self._boxes for source in sources):
            raise UserError(
                f"No input has boxes in '{self._path}': it names {_examples(self._boxes)}, and "
                f"the inputs are {_examples(source.name for source in sources)}."
            )

    def of(self, source: Source, frame: Frame) -> np.ndarray:
        """Returns the boxes of a frame `[n, 4]`: left, top, width, height in pixels."""
        return self._boxes.get(source.name, {}).get(frame.index, np.zeros([0, 4], np.float32))


def _examples(names: Iterable[str]) -> str:
    first = list(itertools.islice(names, 4))
    return ", ".join([*map(repr, first[:3]), *(["..."] if len(first) > 3 else [])]) or "nothing"


def _by_frame(entry: Any) -> dict[Any, Any]:
    return entry if isinstance(entry, dict) else {0: entry}


def _checked(boxes: Any) -> np.ndarray:
    array = np.asarray(boxes, np.float32).reshape(-1, 4) if boxes else np.zeros([0, 4], np.float32)
    if not np.isfinite(array).all() or (array[:, 2:] <= 0).any():
        raise ValueError("boxes need positive widths and heights")
    return array
