"""Merges the caches of several datasets into one for training.

    python -m data_preparation.merge --name=huge8 [--members=h36m,muco,...]

Names: small5, medium3, huge8 (3D), huge2d_common (2D), and huge8_dummy: 10,000 random training
examples of an existing huge8, for quick experiments.

The caches of the members are looked up in the cache folder, where the result is also written, with
its statistics as a table (.csv) and a figure (.png). Missing members are listed with the commands
that make them; --members merges only the named ones.
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from tqdm import tqdm

from data_preparation.merging.merged_datasets import Member, MergedSet, merged_set
from data_preparation.merging.merging import MemberCount, merge
from data_preparation.merging.plausibility import PlausibilityFilter
from data_preparation.merging.statistics import report_statistics
from data_preparation.merging.subset import write_subset
from data_preparation.registry import converters
from metrabs.command import DataFolderSettings, run_tool
from metrabs.data.datasets import open_dataset
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from metrabs.folders import DataFolders
from metrabs.settings import setting

_DUMMY, _DUMMY_SIZE = "huge8_dummy", 10_000
# Settings of converters whose default variant is not the one in the merged datasets.
_SETTINGS = {"mpii": " --variant=yolo_nofilt"}


@dataclasses.dataclass(frozen=True)
class MergeSettings(DataFolderSettings):
    """Settings of the command."""

    name: str = setting(
        None, "merged dataset: small5, medium3, huge8, huge8_dummy or huge2d_common"
    )
    members: tuple[str, ...] = setting((), "merge only these members; default: all")
    output: Optional[str] = setting(
        None, "the new cache file; default: NAME.pkl in the cache folder"
    )
    surreal_always_plausible: bool = setting(
        PlausibilityFilter.keeps_surreal,
        "keep SURREAL examples whose person is outside the "
        "image, as the original implementation does",
    )
    piano1: bool = setting(
        PlausibilityFilter.keeps_piano1, "keep Panoptic's sequence 161029_piano1"
    )


def find_members(merged: MergedSet, folder: pathlib.Path) -> dict[str, PoseDataset]:
    """Opens the caches of all members.

    Raises:
        UserError: some are missing; the commands that make them have been printed.
    """
    paths = {member.name: _find_cache(member, folder) for member in merged.members}
    missing = [name for name, path in paths.items() if path is None]
    if missing:
        print(f"{merged.name}: {len(missing)} of {len(paths)} datasets are missing. Make them by")
        for name in missing:
            print(f"    {_how_to_make(name)}")
        present = [name for name in paths if name not in missing]
        hint = f", or merge only the others by --members={','.join(present)}" if present else ""
        raise UserError(
            f"Without cache file in '{folder}': {', '.join(missing)}. Make them as listed{hint}."
        )
    return {name: open_cache(path) for name, path in paths.items() if path is not None}


def merge_members(settings: MergeSettings) -> pathlib.Path:
    """Merges datasets as the command's settings say and returns the path of the new cache file.

    Raises:
        UserError: the merged dataset is unknown, or members are missing.
    """
    folders = settings.folders()
    path = pathlib.Path(settings.output or folders.cache_path(settings.name))
    if settings.name == _DUMMY:
        return _write_dummy(path, folders)
    merged = merged_set(settings.name)
    if settings.members:
        merged = merged.with_members(settings.members)
    datasets = find_members(merged, folders.cache)
    plausibility = PlausibilityFilter(
        keeps_surreal=settings.surreal_always_plausible, keeps_piano1=settings.piano1
    )
    with tqdm(unit="example", unit_scale=True) as bar:

        def _show(step: str, count: int) -> None:
            bar.set_description(step, refresh=False)
            bar.update(count)

        counts = merge(merged, datasets, path, plausibility, _show)
    _print_dropped(counts)
    return _reported(path)


def _write_dummy(path: pathlib.Path, folders: DataFolders) -> pathlib.Path:
    whole = open_dataset(_DUMMY.partition("_")[0], folders)
    write_subset(whole, path, _DUMMY, _DUMMY_SIZE, seed=0)
    return _reported(path)


def _reported(path: pathlib.Path) -> pathlib.Path:
    """Writes and prints the statistics of a new cache."""
    report_statistics(
        open_cache(path), str(path.with_suffix(".csv")), str(path.with_suffix(".png"))
    )
    print(f"Wrote {path}")
    return path


def _how_to_make(name: str) -> str:
    if name in converters():
        settings = _SETTINGS.get(name, "")
        return f"python -m data_preparation {name}{settings} --data_root=$DATA_ROOT"
    return f"{name}: a cache file that you make yourself, see docs/how-to/merge-datasets.md"


def _find_cache(member: Member, folder: pathlib.Path) -> Optional[pathlib.Path]:
    candidates = [folder / f"{name}.pkl" for name in member.cache_names]
    return next((path for path in candidates if path.exists()), None)


def _print_dropped(counts: Sequence[MemberCount]) -> None:
    for count in counts:
        dropped = count.num_available - count.num_merged
        if dropped:
            print(
                f"{count.dataset}: left out {dropped:,} of {count.num_available:,} "
                f"{count.split} examples ({100 * dropped / count.num_available:.2f} %)"
            )


def _run(settings: MergeSettings) -> None:
    merge_members(settings)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_tool(__doc__, MergeSettings, _run, arguments)


if __name__ == "__main__":
    sys.exit(main())
