"""Makes backgrounds for augmentation from the INRIA Holidays photographs.

    python -m data_preparation.inria_holidays --data_root=FOLDER

Reads `<data_root>/inria_holidays/jpg`, writes square images to the folder `jpg_small` next to it,
and the names of those in which no person is detected to `non_person_images.txt`; training finds
them there. docs/prepare/inria_holidays.md says what to download. An interrupted run continues
where it stopped.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
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
from metrabs import settings
from metrabs.command import data_root_of, define_data_root, reject_positional_args, run_command
from metrabs.data.augmentation.sources import BACKGROUNDS_FOLDER, BACKGROUNDS_LIST
from metrabs.data.storage.images import read_image
from metrabs.errors import UserError
from metrabs.files import atomic_path, write_text_atomically
from metrabs.settings import from_flags, setting

_DETECTION_FILES = ("yolov4_person_detections.pkl", "yolov3_person_detections.pkl")
_ORIENTATION_TAG = 274
_ROTATIONS = {3: cv2.ROTATE_180, 6: cv2.ROTATE_90_CLOCKWISE, 8: cv2.ROTATE_90_COUNTERCLOCKWISE}


@dataclasses.dataclass(frozen=True)
class BackgroundSettings:
    """Settings of this command."""

    detections: str = setting(
        "",
        "file of precomputed person detections in the images of jpg_small; default: "
        f"{' or '.join(_DETECTION_FILES)} next to jpg, if there is one",
    )
    detector: str = setting(
        "efficientdet",
        "person detector for images without precomputed detections: "
        "'efficientdet', the folder of a SavedModel, package.module:function, or empty for none",
    )
    strict: bool = setting(False, "a missing detection is an error")
    side: int = setting(512, "side of the images", unit="pixels", at_least=1)
    quality: int = setting(95, "JPEG quality of the images", at_least=0, at_most=100)


class Counts(NamedTuple):
    """Numbers of images: all, those without people, those without a detection result."""

    all: int
    without_people: int
    unknown: int


def read_upright(path: pathlib.Path) -> np.ndarray:
    """Reads a photograph as uint8 `[h, w, 3]` RGB, rotated as its EXIF orientation says.

    Raises:
        UserError: the file is not an image.
    """
    try:
        with PIL.Image.open(path) as file:
            rotation = _ROTATIONS.get(file.getexif().get(_ORIENTATION_TAG, 1))
            image = np.asarray(file.convert("RGB"))
    except OSError as error:
        raise UserError(f"Image '{path}' cannot be read: {error}. Download it again.") from error
    return image if rotation is None else cv2.rotate(image, rotation)


def squared(image: np.ndarray, side: int) -> np.ndarray:
    """Returns the central square of an image `[h, w, 3]`, resized to a side in pixels."""
    smaller = min(image.shape[:2])
    top, left = ((extent - smaller) // 2 for extent in image.shape[:2])
    square = image[top : top + smaller, left : left + smaller]
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)


def shrink_all(
    source: pathlib.Path, target: pathlib.Path, side: int = 512, quality: int = 95
) -> list[str]:
    """Writes squared versions of a folder's JPEGs to another folder and returns their names.

    Args:
        source: Folder of the photographs.
        target: Folder of the squared images; those that exist already are kept.
        side: Side of the images, pixels.
        quality: JPEG quality, 0 to 100.

    Raises:
        UserError: there are no photographs, or one is damaged.
    """
    names = sorted({*_names_in(source), *_names_in(target)})
    if not names:
        raise UserError(
            f"No photographs at '{source}/*.jpg'. docs/prepare/inria_holidays.md says what to "
            "download and where to unpack it."
        )

    def _shrink(name: str) -> None:
        if not (target / name).exists():
            image = squared(read_upright(source / name), side)
            with atomic_path(target / name) as temporary:
                options = [cv2.IMWRITE_JPEG_QUALITY, quality]
                cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)

    with concurrent.futures.ThreadPoolExecutor() as executor:  # decoding releases the lock
        results = executor.map(_shrink, names)
        list(tqdm.tqdm(results, total=len(names), unit=" images", disable=None))
    return names


def list_without_people(
    folder: pathlib.Path,
    names: Sequence[str],
    source: DetectionSource,
    list_path: pathlib.Path,
    strict: bool = False,
) -> Counts:
    """Writes the names of the images without people to a text file, one per line.

    Args:
        folder: Folder of the images.
        names: Names of the images.
        source: Person detections by name of the image.
        list_path: The text file.
        strict: Whether an image without detection result is an error; otherwise it is left out.

    Raises:
        UserError: see `strict`; or no image is left.
    """
    free, unknown = [], []
    for name in tqdm.tqdm(names, unit=" images", disable=None):
        people = source.find(name, functools.partial(read_image, str(folder / name)))
        if people is None:
            unknown.append(name)
        elif len(people) == 0:
            free.append(name)
    if unknown and strict:
        raise UserError(f"No detection result for '{unknown[0]}'. Provide it, or drop --strict.")
    if not free:
        raise UserError(
            f"None of {len(names)} images is known to be without people ({len(unknown)} have no "
            "detection result). Give --detector=efficientdet or a complete --detections file."
        )
    write_text_atomically(list_path, "".join(f"{name}\n" for name in sorted(free)))
    return Counts(len(names), len(free), len(unknown))


def _names_in(folder: pathlib.Path) -> list[str]:
    return [path.name for path in folder.glob("*.jpg") if not path.name.startswith(".")]


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    define_data_root(values)
    settings.define_flags(values, BackgroundSettings)


def run(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    data_root = data_root_of(values)
    given = from_flags(values, BackgroundSettings)
    usual = tuple(str(data_root / "inria_holidays" / name) for name in _DETECTION_FILES)
    source = load_detection_source(given.detections, usual, given.detector)
    folder = data_root / BACKGROUNDS_FOLDER
    names = shrink_all(folder.parent / "jpg", folder, given.side, given.quality)
    list_path = data_root / BACKGROUNDS_LIST
    counts = list_without_people(folder, names, source, list_path, given.strict)
    unknown = f", {counts.unknown} without a detection result" if counts.unknown else ""
    print(
        f"{counts.without_people} of {counts.all} images are without people{unknown}: {list_path}"
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    message = "Interrupted. The same command continues from here."
    return run_command(__doc__, define_flags, run, arguments, interrupted=message)


if __name__ == "__main__":
    sys.exit(main())
