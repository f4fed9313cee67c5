"""Where augmentation finds occluders and backgrounds: prepared images, else synthetic ones.

The prepared ones are in the data root: objects cut out of Pascal VOC in `pascal_voc/occluders`,
backgrounds from INRIA Holidays in `inria_holidays/jpg_small`, of which those without people are
listed in `inria_holidays/non_person_images.txt` (see docs/prepare).
"""

from __future__ import annotations

import functools
import logging
import pathlib
from typing import Optional

from metrabs.data.augmentation.occluder_table import OccluderTable, has_occluders
from metrabs.data.augmentation.pools import AugmentationPools, synthetic_pools
from metrabs.folders import DataFolders

OCCLUDERS_FOLDER = "pascal_voc/occluders"
BACKGROUNDS_FOLDER = "inria_holidays/jpg_small"
BACKGROUNDS_LIST = "inria_holidays/non_person_images.txt"

_logger = logging.getLogger(__name__)


def default_pools(folders: Optional[DataFolders] = None) -> AugmentationPools:
    """Returns what augmentation pastes where no pools are given; see the module's docstring.

    Args:
        folders: Where data are; default: as the environment says.

    Raises:
        UserError: prepared files are damaged.
    """
    return _pools_below((folders or DataFolders.at()).root)


def log_default_pools(folders: Optional[DataFolders] = None) -> None:
    """Logs, once for each data root, where `default_pools` finds its images."""
    _log_pools_below((folders or DataFolders.at()).root)


def background_paths(root: pathlib.Path) -> list[str]:
    """Returns the paths of the prepared backgrounds below a data root, sorted; maybe none."""
    list_path = root / BACKGROUNDS_LIST
    if not list_path.exists():
        return []
    names = sorted(list_path.read_text(encoding="utf-8").split("\n"))
    return [str(root / BACKGROUNDS_FOLDER / name) for name in names if name]


@functools.lru_cache(maxsize=2)
def _pools_below(root: pathlib.Path) -> AugmentationPools:
    folder = root / OCCLUDERS_FOLDER
    return AugmentationPools(
        OccluderTable(folder) if has_occluders(folder) else synthetic_pools().occluders,
        background_paths(root) or synthetic_pools().backgrounds,
    )


@functools.lru_cache(maxsize=2)
def _log_pools_below(root: pathlib.Path) -> None:
    pools = _pools_below(root)
    objects = (
        "Pascal VOC"
        if isinstance(pools.occluders, OccluderTable)
        else ("synthetic (real ones: docs/prepare/pascal_voc.md)")
    )
    backgrounds = (
        "INRIA Holidays"
        if isinstance(pools.backgrounds[0], str)
        else ("synthetic (real ones: docs/prepare/inria_holidays.md)")
    )
    _logger.info(
        "Augmentation pastes %d objects, %s, and %d backgrounds, %s.",
        len(pools.occluders),
        objects,
        len(pools.backgrounds),
        backgrounds,
    )
