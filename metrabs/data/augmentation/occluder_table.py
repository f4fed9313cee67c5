"""Objects for occlusion in files: memory-mapped, so that all loading processes share them.

A folder of three NumPy files: `pixels.npy` uint8 [pixels, 3] and `alphas.npy` float32 [pixels]
hold the objects' pixels row by row, one object after the other; `sizes.npy` int64 [objects, 2]
holds their heights and widths.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from metrabs.data.augmentation.pools import Occluder
from metrabs.errors import UserError
from metrabs.files import PathLike, atomic_path

_PIXELS, _ALPHAS, _SIZES = "pixels.npy", "alphas.npy", "sizes.npy"


class OccluderTable(tuple[Occluder, ...]):
    """The objects of a folder; sent to another process, it is opened there again.

    Args:
        folder: Folder written by `write_occluders`.

    Raises:
        UserError: the files are missing, damaged or do not belong together.
    """

    folder: pathlib.Path

    def __new__(cls, folder: PathLike) -> OccluderTable:
        """Opens the files."""
        table = super().__new__(cls, _mapped_occluders(pathlib.Path(folder)))
        table.folder = pathlib.Path(folder)
        return table

    def __reduce__(self) -> Any:
        return OccluderTable, (self.folder,)


def has_occluders(folder: PathLike) -> bool:
    """Returns whether `write_occluders` has completed a folder."""
    return (pathlib.Path(folder) / _SIZES).exists()


def write_occluders(folder: PathLike, occluders: Iterable[Occluder]) -> int:
    """Writes objects to a folder, replacing those that are there.

    Returns:
        The number of objects.

    Raises:
        UserError: there are none.
    """
    folder, occluders = pathlib.Path(folder), list(occluders)
    if not occluders:
        raise UserError(f"There are no occluders to write to '{folder}'.")
    (folder / _SIZES).unlink(missing_ok=True)  # written last, it marks the folder as complete
    for name, array in (
        (_PIXELS, np.concatenate([o.image.reshape(-1, 3) for o in occluders])),
        (_ALPHAS, np.concatenate([o.alpha.reshape(-1) for o in occluders])),
        (_SIZES, np.array([o.alpha.shape for o in occluders], np.int64)),
    ):
        with atomic_path(folder / name) as temporary:
            np.save(temporary, array, allow_pickle=False)
    return len(occluders)


def _mapped_occluders(folder: pathlib.Path) -> list[Occluder]:
    try:
        # Plain arrays over the memory maps, of which slices take a tenth of the time.
        pixels, alphas, sizes = (
            np.asarray(np.load(folder / name, mmap_mode="r", allow_pickle=False))
            for name in (_PIXELS, _ALPHAS, _SIZES)
        )
    except (OSError, ValueError) as error:
        raise _unusable(folder, str(error)) from error
    if sizes.shape[1:] != (2,) or not len(sizes):
        raise _unusable(folder, "it has no objects")
    ends = np.cumsum(sizes.prod(axis=1))
    if pixels.shape != (ends[-1], 3) or alphas.shape != (ends[-1],):
        raise _unusable(folder, "its files do not belong together")
    parts = zip(np.split(pixels, ends[:-1]), np.split(alphas, ends[:-1]), sizes)
    return [Occluder(image.reshape(*size, 3), alpha.reshape(size)) for image, alpha, size in parts]


def _unusable(folder: pathlib.Path, reason: str) -> UserError:
    return UserError(
        f"The occluders in '{folder}' cannot be used: {reason}. Make them again with "
        "data_preparation/pascal_voc.py, or delete the folder to use synthetic ones."
    )
