"""Packs a folder of images into an archive: an index and a few large files.

    python -m data_preparation.pack_images $DATA_ROOT/h36m_downscaled [...]

The archive `h36m_downscaled.packed` is written next to the folder. Images whose files are missing
are read from it, so the folder can be deleted afterwards; cache files stay as they are.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Optional

from tqdm import tqdm

from metrabs.command import run_tool
from metrabs.data.storage.image_archive import SUFFIX, pack_folder
from metrabs.errors import UserError


def pack(folder: str) -> int:
    """Packs a folder, with a progress bar, and returns the number of files."""
    folder = folder.rstrip("/")
    with tqdm(desc=f"Packing {folder}", unit="file", unit_scale=True) as bar:
        num_files = pack_folder(folder, folder + SUFFIX, on_progress=bar.update)
    print(f"{folder}{SUFFIX}: {num_files:,} files. '{folder}' is no longer needed.")
    return num_files


@dataclasses.dataclass(frozen=True)
class PackSettings:
    """Settings of the command.

    Attributes:
        folders: Folders to pack, the positional arguments.
    """

    folders: tuple[str, ...] = ()


def pack_folders(settings: PackSettings) -> None:
    """Packs each of the given folders.

    Raises:
        UserError: there are none, or one does not exist.
    """
    if not settings.folders:
        raise UserError("Give the folders to pack.")
    for folder in settings.folders:
        pack(folder)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, PackSettings, pack_folders, arguments, positional="folders")


if __name__ == "__main__":
    sys.exit(main())
