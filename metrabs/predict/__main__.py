"""Finds people and their 3D poses in images and videos.

    python -m metrabs.predict photo.jpg --model=demo_output/export/estimator --output=poses/
    python -m metrabs.predict clip.mp4 photos/ --model=metrabs_s --skeleton=smpl_24 \\
        --formats=json,csv,npz --output=poses/

For every input there is a picture (or video) `<input>.poses.<suffix>` and a file of poses in each
format. A second call with the same settings leaves out what is finished.

Exit codes: 0 success, 1 wrong input, 2 wrong flags, 3 something could not be read (the rest is
done), 130 Ctrl-C.
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

from metrabs.command import run_command

EXIT_INCOMPLETE = 3
# Flags that do not change what an output holds.
_NOT_IN_OUTPUTS = ("output", "batch_size", "internal_batch_size", "overwrite", "progress",
                   "formats", "pictures")
_FILES = ("model", "intrinsics", "extrinsics", "boxes")


def main(arguments: Sequence[str]) -> int:
    """Runs the command.

    Args:
        arguments: what follows the program's name.

    Returns:
        The exit code, see the top of this module.
    """
    _silence_decoders()
    return run_command(
        __doc__, define_flags, predict, arguments,
        interrupted="Interrupted. The same command continues from here.",
    )


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    define: dict[str, Any] = {"flag_values": values, "module_name": "predict"}
    text, whole, real, boolean = (
        flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_float, flags.DEFINE_bool,
    )  # fmt: skip
    text("model", None, "name, address or path of a full-image model, see "
         "docs/how-to/use-a-model.md", **define)
    text("output", None, "folder of the results", **define)
    text("skeleton", "", "name of the output format, such as smpl_24; default: all joints",
         **define)
    flags.DEFINE_list("formats", ["json"], "files of poses: json, csv, npz", **define)
    flags.DEFINE_enum("pictures", "jpg", ["jpg", "png", "none"],
                      "type of the pictures with results; videos are .mp4", **define)
    real("fov", 55.0, "field of view over the longer image side, where there are no intrinsics "
         "[degrees]", **define)
    text("intrinsics", None, "calibration file: .json, .npz, OpenCV .yml, or a matrix in .npy or "
         ".txt", **define)
    text("extrinsics", None, "file with the matrix world -> camera in mm; poses are in the world "
         "frame then", **define)
    flags.DEFINE_list("world_up", ["0", "-1", "0"], "upward direction in the world frame",
                      **define)
    text("boxes", None, 'JSON file with boxes {"photo.jpg": [[left, top, width, height], ...]} '
         "in place of detection [pixels]", **define)
    whole("num_aug", 5, "views per person that are averaged", **define)
    whole("antialias_factor", 1, "supersampling of the crops", **define)
    real("detector_threshold", 0.3, "smallest score of a detection", **define)
    real("detector_nms_iou_threshold", 0.7, "overlap above which detections are merged", **define)
    whole("max_detections", -1, "people per image, the best first; -1: all", **define)
    boolean("detector_flip_aug", False, "the detector also sees the mirrored image", **define)
    boolean("suppress_implausible_poses", True, "drop improbable and duplicate poses", **define)
    whole("batch_size", 1, "images given to the model at once", **define)
    whole("internal_batch_size", 64, "crops given to the network at once; 0: no limit", **define)
    boolean("overwrite", False, "do everything again", **define)
    boolean("progress", True, "show a progress bar", **define)


def predict(values: flags.FlagValues, inputs: Sequence[str]) -> int:
    """Runs the command with parsed flags; returns the exit code."""
    from metrabs.errors import UserError
    from metrabs.predict.sources import find_sources

    if not inputs or not values.model or not values.output:
        raise UserError("Give images, videos or folders, --model and --output; see --help.")
    output = pathlib.Path(values.output)
    sources = find_sources(inputs, output)
    run = _prepare(output, values, sources)
    summary = run.process(sources)
    earlier = f", {summary.num_earlier} finished earlier" if summary.num_earlier else ""
    print(f"{_count(summary.num_finished, 'file', 'files')} done, "
          f"{_count(summary.num_people, 'person', 'people')}{earlier}: {output}")
    if summary.problems:
        print(f"{_count(len(summary.problems), 'problem', 'problems')}:", file=sys.stderr)
        print("\n".join(f"  {problem}" for problem in summary.problems), file=sys.stderr)
        return EXIT_INCOMPLETE
    return 0


def _prepare(output: pathlib.Path, values: flags.FlagValues, sources: Sequence[Any]) -> Any:
    """Checks all settings, which takes no time, then loads the model."""
    from metrabs.errors import UserError, unknown_name_error
    from metrabs.predict.cameras import read_camera
    from metrabs.predict.given_boxes import GivenBoxes
    from metrabs.predict.predictor import PredictionSettings, Predictor
    from metrabs.predict.run import Outputs, Run, check_same_settings, record_settings
    from metrabs.predict.writers import WRITERS

    for name in values.formats:
        if name not in WRITERS:
            raise unknown_name_error("format", name, WRITERS)
    if not values.formats and values.pictures == "none":
        raise UserError("Nothing would be written; give --formats or --pictures.")
    camera = read_camera(values.intrinsics, values.extrinsics, values.fov, _vector(values))
    arguments: dict[str, Any] = {
        field.name: values[field.name].value for field in dataclasses.fields(PredictionSettings)
    }
    settings = PredictionSettings(**arguments)
    boxes = GivenBoxes(values.boxes) if values.boxes else None
    if boxes is not None:
        boxes.check_names(sources)
    suffix = None if values.pictures == "none" else f".{values.pictures}"
    outputs = Outputs(output, tuple(values.formats), suffix, values.overwrite)
    recorded = {
        name: _with_digest(values[name].value) if name in _FILES else values[name].value
        for name in values if name not in _NOT_IN_OUTPUTS
    }
    check_same_settings(outputs, recorded)
    predictor = Predictor(_load(values.model), camera, settings)
    if boxes is None and not predictor.has_detector:
        print("The model has no detector and will find nobody; give --boxes.", file=sys.stderr)
    run = Run(
        predictor, camera, outputs, values.model, values.skeleton, values.batch_size, boxes,
        values.progress,
    )
    record_settings(outputs, recorded)
    return run


def _load(name: str) -> Any:
    import tensorflow as tf

    from metrabs.hub import load_model

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    return load_model(name)


def _silence_decoders() -> None:
    """Leaves it to this command, which names the files, to complain about damage."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    if "OPENCV_LOG_LEVEL" not in os.environ:
        cv2.setLogLevel(0)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _with_digest(name: Optional[str]) -> Optional[str]:
    """Adds what tells the content of a file or a SavedModel, since the same name may get other."""
    from metrabs.files import sha256_of_file

    path = pathlib.Path(name or "")
    parts = [path, path / "saved_model.pb", path / "variables" / "variables.index"]
    digests = [sha256_of_file(part)[:16] for part in parts if part.is_file()]
    return " ".join([name, *digests]) if name else None


def _vector(values: flags.FlagValues) -> tuple[float, float, float]:
    from metrabs.errors import UserError

    try:
        x, y, z = map(float, values.world_up)
    except ValueError as error:
        raise UserError(
            f"--world_up must be three numbers such as 0,-1,0, not {','.join(values.world_up)}."
        ) from error
    return x, y, z


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
