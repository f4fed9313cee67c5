"""Makes backgrounds for augmentation from the INRIA Holidays photographs.

    python -m data_preparation.inria_holidays --data_root=FOLDER

Reads `<data_root>/inria_holidays/jpg`, writes square pictures to `jpg_small` beside it, and the
names of those in which no person is detected to `non_person_images.txt`; training finds them
there. docs/prepare/inria_holidays.md tells what to download. An interrupted call continues where
it stopped.
"""

from __future__ import annotations

import concurrent.futures
import functools
import pathlib
import sys
from collections.abc import Sequence
from typing import NamedTuple, Optional

import cv2
import numpy as np
import PIL.Image
import tqdm
from absl import flags

from data_preparation.common.detections import DetectionSource, load_detection_source
from metrabs.command import data_root_of, define_data_root, reject_positional_args, run_command
from metrabs.data.augmentation.sources import BACKGROUNDS_FOLDER, BACKGROUNDS_LIST
from metrabs.data.storage.images import read_image
from metrabs.errors import UserError
from metrabs.files import atomic_path, write_text_atomically

_DETECTION_FILES = ("yolov4_person_detections.pkl", "yolov3_person_detections.pkl")
_ORIENTATION_TAG = 274
_ROTATIONS = {
    3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE
}


class Counts(NamedTuple):
    """How many pictures there are: all, those without people, those without a result."""

    all: int
    without_people: int
    unknown: int


def read_upright(path: pathlib.Path) -> np.ndarray:
    """Reads a photograph as uint8 [h, w, 3] RGB, turned as its EXIF orientation says.

    Raises:
        UserError: it is not an image.
    """
    try:
        with PIL.Image.open(path) as file:
            rotation = _ROTATIONS.get(file.getexif().get(_ORIENTATION_TAG, 1))
            image = np.asarray(file.convert("RGB"))
    except OSError as error:
        raise UserError(f"Image '{path}' cannot be read: {error}. Download it again.") from error
    return image if rotation is None else cv2.rotate(image, rotation)


def squared(image: np.ndarray, side: int) -> np.ndarray:
    """Returns the central square of an image [h, w, 3], resized to a side in pixels."""
    smaller = min(image.shape[:2])
    top, left = ((extent - smaller) // 2 for extent in image.shape[:2])
    square = image[top:top + smaller, left:left + smaller]
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)


def shrink_all(
    source: pathlib.Path, target: pathlib.Path, side: int = 512, quality: int = 95
) -> list[str]:
    """Writes the squared pictures of a folder's JPEGs to another folder; returns their names.

    Args:
        source: of the photographs.
        target: pictures that are there already are left as they are.
        side: pixels.
        quality: of the JPEGs, 0 to 100.

    Raises:
        UserError: there are no photographs, or one is damaged.
    """
    names = sorted({*_names_in(source), *_names_in(target)})
    if not names:
        raise UserError(
            f"No photographs at '{source}/*.jpg'. docs/prepare/inria_holidays.md tells what to "
            "download and where to unpack it."
        )

    def _shrink(name: str) -> None:
        if not (target / name).exists():
            picture = squared(read_upright(source / name), side)
            with atomic_path(target / name) as temporary:
                options = [cv2.IMWRITE_JPEG_QUALITY, quality]
                cv2.imwrite(str(temporary), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)

    with concurrent.futures.ThreadPoolExecutor() as executor:  # decoding releases the lock
        results = executor.map(_shrink, names)
        list(tqdm.tqdm(results, total=len(names), unit=" pictures", disable=None))
    return names


def list_without_people(
    folder: pathlib.Path, names: Sequence[str], finder: DetectionSource, list_path: pathlib.Path,
    strict: bool = False,
) -> Counts:
    """Writes the names of the pictures without people to a text file, one per line.

    Args:
        folder: of the pictures.
        names: of the pictures.
        finder: knows the people in them by their names.
        list_path: the text file.
        strict: a picture without a detection result is an error; otherwise it is left out.

    Raises:
        UserError: see `strict`; or no picture is left.
    """
    free, unknown = [], []
    for name in tqdm.tqdm(names, unit=" pictures", disable=None):
        people = finder.find(name, functools.partial(read_image, str(folder / name)))
        if people is None:
            unknown.append(name)
        elif len(people) == 0:
            free.append(name)
    if unknown and strict:
        raise UserError(
            f"No detection result for '{unknown[0]}'. Supply it, or leave out --strict."
        )
    if not free:
        raise UserError(
            f"None of {len(names)} pictures is known to be without people ({len(unknown)} have no "
            "detection result). Give --detector=efficientdet or a complete --detections file."
        )
    write_text_atomically(list_path, "".join(f"{name}\n" for name in sorted(free)))
    return Counts(len(names), len(free), len(unknown))


def _names_in(folder: pathlib.Path) -> list[str]:
    return [path.name for path in folder.glob("*.jpg") if not path.name.startswith(".")]


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    define_data_root(values)
    flags.DEFINE_string(
        "detections", "", "file of precomputed person detections of the pictures in jpg_small; "
        f"default: {' or '.join(_DETECTION_FILES)} beside jpg, if there is one",
        flag_values=values)
    flags.DEFINE_string(
        "detector", "efficientdet", "person detector for pictures without them: 'efficientdet', "
        "the folder of a SavedModel, package.module:function, or empty for none",
        flag_values=values)
    flags.DEFINE_bool("strict", False, "a missing detection is an error", flag_values=values)
    flags.DEFINE_integer("side", 512, "of the pictures, pixels", flag_values=values)
    flags.DEFINE_integer("quality", 95, "of the pictures' JPEGs", 0, 100, flag_values=values)


def run(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    data_root = data_root_of(values)
    usual = tuple(str(data_root / "inria_holidays" / name) for name in _DETECTION_FILES)
    finder = load_detection_source(values.detections, usual, values.detector)
    folder = data_root / BACKGROUNDS_FOLDER
    names = shrink_all(folder.parent / "jpg", folder, values.side, values.quality)
    list_path = data_root / BACKGROUNDS_LIST
    counts = list_without_people(folder, names, finder, list_path, values.strict)
    unknown = f", {counts.unknown} without a detection result" if counts.unknown else ""
    print(
        f"{counts.without_people} of {counts.all} pictures are without people{unknown}: "
        f"{list_path}"
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    message = "Interrupted. The same command continues from here."
    return run_command(__doc__, define_flags, run, arguments, interrupted=message)


if __name__ == "__main__":
    sys.exit(main())
