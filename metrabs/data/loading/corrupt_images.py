"""What happens to images that cannot be read: other examples take their place, and they are named.

Among millions of images some are missing or damaged, and hours of training must not end for them.
Loading processes replace an example by another one of the same dataset; the main process counts.
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

# If so many in a row cannot be read, it is not the fault of single images.
_MAX_ATTEMPTS = 20


def load_or_replace(
    load: Callable[[int], _Loaded], examples: Sequence[Example], index: int, seed: Iterable[int]
) -> tuple[_Loaded, list[str]]:
    """Loads an example, or if its image cannot be read another one of the same dataset.

    Args:
        load: loads the example of an index; raises `ImageError`.
        examples: all examples.
        index: of the wanted one.
        seed: numbers that decide about the replacement.

    Returns:
        What `load` returns, and the paths of the images that could not be read.

    Raises:
        UserError: many examples, one after the other, could not be read.
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
                    f"{_MAX_ATTEMPTS} images, one after the other, could not be read. {error}"
                ) from error
            _, codes = dataset_codes(examples)
            index = int(rng.choice(np.flatnonzero(codes == codes[index])))


class BrokenImages:
    """Names and counts the images of a run that could not be read.

    Args:
        limit: how many different ones there may be.
    """

    def __init__(self, limit: int) -> None:
        self.paths: set[str] = set()
        self._limit = limit

    def add(self, paths: Iterable[str]) -> None:
        """Adds paths of images that were replaced, some of them maybe known already.

        Raises:
            UserError: there are more of them than the limit.
        """
        for path in paths:
            if path in self.paths:
                continue
            self.paths.add(path)
            _logger.warning(
                "Image '%s' cannot be read; another example takes its place (%d so far)",
                path, len(self.paths),
            )
            if len(self.paths) > self._limit:
                raise UserError(
                    f"{len(self.paths)} images could not be read, more than "
                    f"--max_broken_images={self._limit}; the last was '{path}'. Restore them or "
                    "raise the limit."
                )
