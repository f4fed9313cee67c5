"""Images that cannot be read: another example is loaded instead, and they are logged.

Among millions of images, some are missing or damaged, and that must not end hours of training.
Worker processes replace an example by another one of the same dataset; the main process counts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from metrabs.data.examples import Example, dataset_codes
from metrabs.data.storage.images import ImageError
from metrabs.errors import UserError

_logger = logging.getLogger(__name__)
_Loaded = TypeVar("_Loaded")

# If this many in a row cannot be read, single images are not the cause.
_MAX_ATTEMPTS = 20


def load_with_fallback(
    load: Callable[[int], _Loaded], examples: Sequence[Example], index: int, seed: Iterable[int]
) -> tuple[_Loaded, list[str]]:
    """Loads an example, or another one of the same dataset if its image cannot be read.

    Args:
        load: Loads the example at an index; raises `ImageError`.
        examples: All examples.
        index: Index of the requested example.
        seed: Random seed for choosing the replacement.

    Returns:
        The result of `load`, and the paths of the images that could not be read.

    Raises:
        UserError: Many examples in a row could not be read.
    """
    broken: list[str] = []
    rng = np.random.default_rng(list(seed))
    while True:
        try:
            return load(index), broken
        except ImageError as error:
            broken.append(error.path)
            if len(broken) == _MAX_ATTEMPTS:
                raise UserError(
                    f"{_MAX_ATTEMPTS} images in a row could not be read. {error}"
                ) from error
            _, codes = dataset_codes(examples)
            index = int(rng.choice(np.flatnonzero(codes == codes[index])))


class CorruptImageLog:
    """Logs and counts the images of a run that could not be read.

    Args:
        limit: Maximum number of different ones.
    """

    def __init__(self, limit: int) -> None:
        self.paths: set[str] = set()
        self._limit = limit

    def add(self, paths: Iterable[str]) -> None:
        """Adds paths of images that were replaced; some may be known already.

        Raises:
            UserError: There are more than the limit.
        """
        for path in paths:
            if path in self.paths:
                continue
            self.paths.add(path)
            _logger.warning(
                "Image '%s' cannot be read; another example is used instead (%d so far)",
                path,
                len(self.paths),
            )
            if len(self.paths) > self._limit:
                raise UserError(
                    f"{len(self.paths)} images could not be read, more than "
                    f"--max_broken_images={self._limit}; the last was '{path}'. Restore them or "
                    "raise the limit."
                )
