"""Packs a folder of images into an archive: an index and a few large files.

    python -m data_preparation.pack_images $DATA_ROOT/h36m_downscaled [...]

The archive `h36m_downscaled.packed` appears beside the folder. Images are read from it wherever
their files are missing, so the folder can be deleted afterwards; cache files stay as they are.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from absl import flags
from tqdm import tqdm

from metrabs.command import run_command
from metrabs.data.storage.image_archive import SUFFIX, pack_folder
from metrabs.errors import UserError


def pack(folder: str) -> int:
    """Packs a folder, with a progress bar, and returns the number of files."""
    folder = folder.rstrip("/")
    with tqdm(desc=f"Packing {folder}", unit="file", unit_scale=True) as bar:
        num_files = pack_folder(folder, folder + SUFFIX, on_progress=bar.update)
    print(f"{folder}{SUFFIX}: {num_files:,} files. '{folder}' is not needed any more.")
    return num_files


def define_flags(values: flags.FlagValues) -> None:
    """Declares no flags: the command takes folders."""
    del values


def pack_folders(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with the folders given."""
    del values
    if not words:
        raise UserError("Give the folders to pack.")
    for folder in words:
        pack(folder)


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, pack_folders))
