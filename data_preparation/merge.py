"""Merges the caches of single datasets into one for training.

    python -m data_preparation.merge --name=huge8 [--members=h36m,muco,...]

Names: small5, medium3, huge8 (3D), huge2d_common (2D), and huge8_dummy: 10,000 random training
examples of a huge8 that is there already, to try things out with.

The caches of the members are looked up in the cache folder ($CACHE_DIR, by default
$DATA_ROOT/cache), where the result goes, too, with its statistics as a table (.csv) and a figure
(.png). Missing members are listed with the commands that make them; --members merges only the ones
named.
"""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Sequence
from typing import Optional

from absl import flags
from tqdm import tqdm

from data_preparation.merging.merged_datasets import Member, MergedSet, merged_set
from data_preparation.merging.merging import MemberCount, merge
from data_preparation.merging.plausibility import PlausibilityFilter
from data_preparation.merging.statistics import report_statistics
from data_preparation.merging.subset import write_subset
from data_preparation.registry import converters
from metrabs.command import reject_positional_args, run_command
from metrabs.data.datasets import cache_dir, open_dataset
from metrabs.data.examples import PoseDataset
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError

_DUMMY, _DUMMY_SIZE = "huge8_dummy", 10_000
# Settings of converters which by themselves make another variant than the merged sets have.
_SETTINGS = {"mpii": " --variant=yolo_nofilt"}


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command; not at import, where they might meet another's."""
    flags.DEFINE_string("name", None, "merged dataset: small5, medium3, huge8, huge8_dummy or "
                        "huge2d_common",
                        flag_values=values)
    flags.DEFINE_list("members", [], "merge only these members", flag_values=values)
    flags.DEFINE_string("output", None, "the new cache file; default: NAME.pkl in the cache "
                        "folder", flag_values=values)
    defaults = PlausibilityFilter()
    flags.DEFINE_bool(
        "surreal_always_plausible", defaults.keeps_surreal,
        "keep SURREAL examples whose person is outside the image, as the release does",
        flag_values=values)
    flags.DEFINE_bool("piano1", defaults.keeps_piano1, "keep Panoptic's sequence 161029_piano1",
                      flag_values=values)


def find_members(merged: MergedSet, folder: pathlib.Path) -> dict[str, PoseDataset]:
    """Opens the caches of all members.

    Raises:
        UserError: some are missing; what makes them has been printed.
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


def build(values: flags.FlagValues) -> pathlib.Path:
    """Runs the command with parsed flags and returns the path of the new cache file."""
    if not values.name:
        raise UserError("Give --name: small5, medium3, huge8 or huge2d_common.")
    if values.name == _DUMMY:
        return _write_dummy(values.output)
    merged = merged_set(values.name)
    if values.members:
        merged = merged.with_members(values.members)
    datasets = find_members(merged, cache_dir())
    path = pathlib.Path(values.output or cache_dir() / f"{merged.name}.pkl")
    plausibility = PlausibilityFilter(
        keeps_surreal=values.surreal_always_plausible, keeps_piano1=values.piano1
    )
    with tqdm(unit="example", unit_scale=True) as bar:

        def _show(step: str, count: int) -> None:
            bar.set_description(step, refresh=False)
            bar.update(count)

        counts = merge(merged, datasets, path, plausibility, _show)
    _print_dropped(counts)
    return _reported(path)


def _write_dummy(output: Optional[str]) -> pathlib.Path:
    path = pathlib.Path(output or cache_dir() / f"{_DUMMY}.pkl")
    whole = open_dataset(_DUMMY.partition("_")[0])
    write_subset(whole, path, _DUMMY, _DUMMY_SIZE, seed=0)
    return _reported(path)


def _reported(path: pathlib.Path) -> pathlib.Path:
    """Writes and prints the statistics of a new cache."""
    report_statistics(
        open_cache(path), str(path.with_suffix(".csv")), str(path.with_suffix(".png"))
    )
    print(f"Wrote {path}")
    return path


def merge_members(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    build(values)


def _how_to_make(name: str) -> str:
    if name in converters():
        settings = _SETTINGS.get(name, "")
        return f"python -m data_preparation {name}{settings} --data_root=$DATA_ROOT"
    return f"{name}: a cache file of your making, see docs/how-to/merge-datasets.md"


def _find_cache(member: Member, folder: pathlib.Path) -> Optional[pathlib.Path]:
    candidates = [folder / f"{name}.pkl" for name in member.cache_names]
    return next((path for path in candidates if path.exists()), None)


def _print_dropped(counts: Sequence[MemberCount]) -> None:
    for count in counts:
        dropped = count.num_available - count.num_merged
        if dropped:
            print(f"{count.dataset}: left out {dropped:,} of {count.num_available:,} "
                  f"{count.phase} examples ({100 * dropped / count.num_available:.2f} %)")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, merge_members))
