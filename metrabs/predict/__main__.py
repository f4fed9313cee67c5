"""Finds people and their 3D poses in images and videos.

    python -m metrabs.predict photo.jpg --model=demo_output/export/estimator --output=poses/
    python -m metrabs.predict clip.mp4 photos/ --model=metrabs_s --skeleton=smpl_24 \\
        --formats=json,csv,npz --output=poses/

For each input, an image (or video) `<input>.poses.<suffix>` and a file of poses in each format are
written. A second call with the same settings skips finished inputs.

Exit codes: 0 success, 1 invalid input, 2 invalid flags, 3 unreadable inputs (the others
are done), 130 Ctrl-C.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any, Optional

import cv2
from absl import flags

from metrabs import settings
from metrabs.command import run_command
from metrabs.errors import UserError, unknown_name_error
from metrabs.estimator.client import PredictionSettings, Predictor
from metrabs.predict.cameras import read_camera
from metrabs.predict.given_boxes import GivenBoxes
from metrabs.predict.run import Outputs, Run, Summary, check_same_settings, record_settings
from metrabs.predict.sources import Source, find_sources
from metrabs.predict.writers import WRITERS
from metrabs.resumable import content_identity
from metrabs.settings import setting

EXIT_INCOMPLETE = 3
# Settings of the command that determine what outputs contain, and those of them that are files.
_DETERMINE_OUTPUTS = ("model", "fov", "intrinsics", "extrinsics", "world_up", "boxes")
_FILES = ("model", "intrinsics", "extrinsics", "boxes")


@dataclasses.dataclass(frozen=True)
class CommandSettings:
    """Settings of the command, next to those of the model's calls."""

    model: str = setting(
        None, "name, URL or path of a full-image model, see docs/how-to/use-a-model.md"
    )
    output: str = setting(None, "folder of the results")
    formats: tuple[str, ...] = setting(("json",), "files of poses: json, csv, npz")
    pictures: str = setting(
        "jpg", "type of the images with drawn results; videos are .mp4",
        choices=("jpg", "png", "none"),
    )  # fmt: skip
    fov: float = setting(
        55.0, "field of view over the longer image side, used without intrinsics", "degrees"
    )
    intrinsics: Optional[str] = setting(
        None, "calibration file: .json, .npz, OpenCV .yml, or a matrix in .npy or .txt"
    )
    extrinsics: Optional[str] = setting(
        None, "file with the matrix world -> camera in mm; poses are then in the world frame"
    )
    world_up: tuple[str, ...] = setting(("0", "-1", "0"), "upward direction in the world frame")
    boxes: Optional[str] = setting(
        None,
        'JSON file with boxes {"photo.jpg": [[left, top, width, height], ...]} that replace '
        "detection",
        "pixels",
    )
    batch_size: int = setting(1, "number of images given to the model at once", at_least=1)
    overwrite: bool = setting(False, "repeat finished work")
    progress: bool = setting(True, "show a progress bar")

    @property
    def world_up_vector(self) -> tuple[float, float, float]:
        """The upward direction as numbers.

        Raises:
            UserError: it is not three numbers.
        """
        try:
            x, y, z = map(float, self.world_up)
        except ValueError as error:
            raise UserError(
                f"--world_up must be three numbers such as 0,-1,0, not {','.join(self.world_up)}."
            ) from error
        return x, y, z

    @property
    def image_suffix(self) -> Optional[str]:
        """Suffix of the images with drawn results, None if there are none."""
        return None if self.pictures == "none" else f".{self.pictures}"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line.

    Args:
        arguments: Command line without the program's name; default: that of this process.

    Returns:
        The exit code, see the top of this module.
    """
    _silence_decoders()
    return run_command(
        __doc__, define_flags, predict, arguments,
        interrupted="Interrupted. The same command continues from here.",
    )  # fmt: skip


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    settings.define_flags(values, CommandSettings, "command")
    settings.define_flags(values, PredictionSettings, "model")


def predict(values: flags.FlagValues, inputs: Sequence[str]) -> int:
    """Runs the command with parsed flags; returns the exit code."""
    if not inputs or not values.model or not values.output:
        raise UserError("Give images, videos or folders, --model and --output; see --help.")
    command = settings.from_flags(values, CommandSettings)
    sources = find_sources(inputs, pathlib.Path(command.output))
    summary = _process(command, settings.from_flags(values, PredictionSettings), sources)
    print(f"{_summary_text(summary)}: {command.output}")
    if summary.problems:
        print(f"{_count(len(summary.problems), 'problem', 'problems')}:", file=sys.stderr)
        print("\n".join(f"  {problem}" for problem in summary.problems), file=sys.stderr)
        return EXIT_INCOMPLETE
    return 0


def _process(
    command: CommandSettings, prediction: PredictionSettings, sources: Sequence[Source]
) -> Summary:
    """Checks all settings, which is quick, and loads the model if there is something to do."""
    for name in command.formats:
        if name not in WRITERS:
            raise unknown_name_error("format", name, WRITERS)
    if not command.formats and not command.image_suffix:
        raise UserError("Nothing would be written; give --formats or --pictures.")
    camera = read_camera(
        command.intrinsics, command.extrinsics, command.fov, command.world_up_vector
    )
    boxes = GivenBoxes(command.boxes) if command.boxes else None
    if boxes is not None:
        boxes.check_names(sources)
    outputs = Outputs(
        pathlib.Path(command.output), command.formats, command.image_suffix, command.overwrite
    )
    recorded = _recorded_settings(command, prediction)
    check_same_settings(outputs, recorded)
    if not outputs.unfinished(sources):
        return Summary(num_earlier=len(sources))
    predictor = Predictor(_load(command.model), prediction)
    if boxes is None and not predictor.has_detector:
        print("The model has no detector and will find nobody; give --boxes.", file=sys.stderr)
    record_settings(outputs, recorded)
    run = Run(
        predictor,
        camera,
        outputs,
        command.model,
        prediction.skeleton,
        command.batch_size,
        boxes,
        command.progress,
    )
    return run.process(sources)


def _recorded_settings(command: CommandSettings, prediction: PredictionSettings) -> dict[str, Any]:
    """Returns what outputs depend on, to be recorded in their folder."""
    recorded = {name: getattr(command, name) for name in _DETERMINE_OUTPUTS}
    recorded.update({n: content_identity(recorded[n]) for n in _FILES if recorded[n]})
    return {**recorded, **prediction.result_settings()}


def _summary_text(summary: Summary) -> str:
    people = _count(summary.num_people, "person", "people")
    if summary.num_frames > summary.num_finished:  # there are videos
        people += f" in {_count(summary.num_frames, 'frame', 'frames')}"
    earlier = f", {summary.num_earlier} finished earlier" if summary.num_earlier else ""
    return f"{_count(summary.num_finished, 'file', 'files')} done, {people}{earlier}"


def _load(name: str) -> Any:
    import tensorflow as tf

    from metrabs.hub import load_model

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    return load_model(name)


def _silence_decoders() -> None:
    """Silences decoders about damaged files: the command reports them by name."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.setLogLevel(0)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


if __name__ == "__main__":
    sys.exit(main())
