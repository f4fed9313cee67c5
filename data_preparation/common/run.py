"""Preparing a dataset: convert its sequences in parallel, then write its cache files."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from typing import Any, NamedTuple, Optional

import cv2
from tqdm import tqdm

from data_preparation.common.assembly import write_caches
from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, check_downloads
from data_preparation.common.issues import IssueCounter
from data_preparation.common.parts import Part, read_part, write_part
from data_preparation.common.setup import Setup
from metrabs.data.examples import SPLITS
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from metrabs.files import PathLike, write_text_atomically
from metrabs.parallel import results_as_completed


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of preparing a dataset.

    Attributes:
        title: Title of the dataset.
        caches: Cache files by name.
        num_examples: Number of examples by split.
        num_sequences: Number of sequences that were converted or found finished.
        failures: Messages by sequence, for those that could not be converted.
        issues: Counts of what was left out or degraded, and why.
    """

    title: str
    caches: dict[str, pathlib.Path]
    num_examples: dict[str, int]
    num_sequences: int
    failures: dict[str, str]
    issues: IssueCounter

    def text(self) -> str:
        """Returns the report as a string of several lines."""
        counts = ", ".join(f"{count} {split}" for split, count in self.num_examples.items())
        lines = [f"{self.title}: {counts or 'no'} examples from {self.num_sequences} sequences"]
        lines += [f"  {name}: {path}" for name, path in self.caches.items()]
        if self.issues.entries:
            lines += [
                "Left out (skipped), or kept in spite of missing data (degraded):",
                self.issues.table(),
            ]
        if self.failures:
            lines.append(f"{len(self.failures)} sequences could not be converted:")
            lines += [f"  {name}: {message}" for name, message in self.failures.items()]
            lines.append("Fix them and rerun; finished sequences are kept.")
        return "\n".join(lines)


class _Outcome(NamedTuple):
    """The outcome of one sequence: a part, or the reason why there is none."""

    sequence: str
    part: Optional[Part]
    failure: str


def prepare(
    converter: Converter,
    setup: Setup,
    cache_dir: PathLike,
    num_workers: Optional[int] = None,
    dask_scheduler: str = "",
    replace: bool = False,
) -> Report:
    """Converts a dataset; finished sequences of earlier calls are kept.

    The report is also written next to the cache files, as `<name>_report.txt` with the name of
    the first one.

    Args:
        converter: Converter of the dataset, with its settings.
        setup: Settings that all datasets share.
        cache_dir: Folder of the cache files.
        num_workers, dask_scheduler: see `metrabs.parallel.results_as_completed`.
        replace: Whether cache files that hold more examples may be replaced.

    Raises:
        UserError: the download is missing, or nothing could be converted, or there are cache
            files with more examples; in strict mode, if anything could not be converted.
    """
    data_root = pathlib.Path(setup.data_root)
    check_downloads(converter, data_root)
    check_detections(converter, setup)
    sequences = list(converter.sequences(data_root))
    if not sequences:
        raise UserError(
            f"{converter.TITLE}: these settings leave no sequences. Choose more of them; see "
            "--help."
        )
    preparations = list(converter.preparations(data_root))
    done = _convert_all(converter, setup, preparations, num_workers, dask_scheduler)
    _check_outcomes(done, is_strict=True)  # the sequences depend on all of them
    outcomes = _convert_all(converter, setup, sequences, num_workers, dask_scheduler)
    _check_outcomes(outcomes, setup.strict)
    failures = {o.sequence: o.failure for o in outcomes if o.failure}
    parts = [outcome.part for outcome in (*done, *outcomes) if outcome.part is not None]
    issues = IssueCounter()
    for part in parts:
        issues.merge(part.issues)
    if not replace:
        _check_present_caches(converter, cache_dir, sum(part.num_examples for part in parts))
    caches, num_examples = write_caches(converter, setup, parts, cache_dir, issues)
    num_sequences = len(sequences) - len(failures)
    report = Report(converter.TITLE, caches, num_examples, num_sequences, failures, issues)
    path = pathlib.Path(cache_dir) / f"{next(iter(caches))}_report.txt"
    write_text_atomically(path, report.text() + "\n")
    return report


def _check_present_caches(converter: Converter, cache_dir: PathLike, num_examples: int) -> None:
    """Checks that no cache file has more examples than the ones that are about to be written.

    Raises:
        UserError: one has; a conversion of fewer subjects or cameras would replace a whole one.
    """
    for name in converter.caches():
        path = pathlib.Path(cache_dir) / f"{name}.pkl"
        try:
            num_present = _num_examples(path) if path.exists() else 0
        except UserError:
            continue  # a damaged file is no loss
        if num_present > num_examples:
            raise UserError(
                f"The present cache '{path}' holds {num_present} examples, these settings and "
                f"files give {num_examples}. Give --replace to replace it all the same, or "
                "another --cache_dir. Finished sequences are kept."
            )


def _num_examples(path: pathlib.Path) -> int:
    dataset = open_cache(path)
    return sum(len(dataset.split(split)) for split in SPLITS)


def check_detections(converter: Converter, setup: Setup) -> None:
    """Checks that there are person detections for a dataset that needs them.

    Raises:
        UserError: there are none.
    """
    folder = pathlib.Path(setup.data_root) / converter.FOLDER
    usual = [folder / name for name in converter.DETECTION_FILES]
    has_some = setup.detections or setup.detector or any(path.exists() for path in usual)
    if converter.needs_detections and not has_some:
        expected = f" (looked for: '{usual[0]}')" if usual else ""
        raise UserError(
            f"{converter.TITLE} needs person detections. Give --detector=efficientdet or another "
            f"detector, or precomputed detections as --detections=FILE{expected}."
        )


def context_for(converter: Converter, setup: Setup) -> ConversionContext:
    """Returns a new context in which a converter can convert a sequence."""
    return ConversionContext(
        setup, converter.FOLDER, converter.DETECTION_FILES, converter.TAKES_CROP_MASKS
    )


def convert_sequence(converter: Converter, setup: Setup, sequence: Any) -> _Outcome:
    """Converts one sequence, in any process; errors in the data become its failure."""
    cv2.setNumThreads(1)  # the processes run in parallel and share the CPU cores
    context = context_for(converter, setup)
    try:
        examples = converter.examples(sequence, context)
        return _Outcome(
            str(sequence), write_part(converter, setup, sequence, examples, context.issues), ""
        )
    except UserError as error:
        return _Outcome(str(sequence), None, str(error))


def _check_outcomes(outcomes: list[_Outcome], is_strict: bool) -> None:
    """Raises the first failure if all sequences have failed or, if strict, any of them."""
    failed = [outcome for outcome in outcomes if outcome.failure]
    if failed and (is_strict or len(failed) == len(outcomes)):
        raise UserError(
            f"{len(failed)} of {len(outcomes)} sequences could not be converted; the first is "
            f"{failed[0].sequence}: {failed[0].failure}"
        )


def _convert_all(
    converter: Converter,
    setup: Setup,
    sequences: list[Any],
    num_workers: Optional[int],
    dask_scheduler: str,
) -> list[_Outcome]:
    """Returns the outcomes of all sequences, in their order."""
    names = [str(sequence) for sequence in sequences]
    if len(set(names)) < len(names):
        raise ValueError(f"two sequences of {converter.NAME} have the same name")
    outcomes, pending = {}, []
    for name, sequence in zip(names, sequences):
        part = read_part(converter, setup, sequence)
        if part is None:
            pending.append(sequence)
        else:
            outcomes[name] = _Outcome(name, part, "")
    num_examples = sum(o.part.num_examples for o in outcomes.values() if o.part is not None)
    convert = functools.partial(convert_sequence, converter, setup)
    with tqdm(
        total=len(sequences),
        initial=len(outcomes),
        unit="sequence",
        desc=converter.TITLE,
        disable=not pending,
    ) as bar:
        for outcome in results_as_completed(convert, pending, num_workers, dask_scheduler):
            outcomes[outcome.sequence] = outcome
            num_examples += outcome.part.num_examples if outcome.part is not None else 0
            bar.set_postfix(examples=num_examples, refresh=False)
            bar.update()
            if outcome.failure:
                bar.write(f"{outcome.sequence}: {outcome.failure}")
    return [outcomes[name] for name in names]
