"""Cuts out the objects of Pascal VOC 2012 that augmentation pastes over people.

    python -m data_preparation.pascal_voc --data_root=FOLDER

Reads `<data_root>/pascal_voc`, writes `<data_root>/pascal_voc/occluders`; training finds them
there. docs/prepare/pascal_voc.md says what to download.
"""

from __future__ import annotations

import pathlib
import sys
import xml.etree.ElementTree
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

import numpy as np
import PIL.Image
import tqdm
from absl import flags

from metrabs.command import data_root_of, define_data_root, reject_positional_args, run_command
from metrabs.data.augmentation.occluder_table import write_occluders
from metrabs.data.augmentation.occlusion import resized, soften_mask
from metrabs.data.augmentation.pools import Occluder
from metrabs.data.augmentation.sources import OCCLUDERS_FOLDER
from metrabs.data.storage.images import read_image
from metrabs.datasets.readers import reading
from metrabs.errors import UserError

_MIN_PIXELS = 500
_SCALE = 0.5


class VocObject(NamedTuple):
    """A usable object of an annotation file.

    Attributes:
        label: Its value in the segmentation image.
        rows, columns: Its box.
    """

    label: int
    rows: slice
    columns: slice


def occluders_in(voc_folder: pathlib.Path) -> Iterator[Occluder]:
    """Yields the occluders of a VOC folder in the order of the annotation files' names.

    Deviation: the original implementation uses the order in which the file system lists them.

    Raises:
        UserError: there are no annotation files, or an image is missing or damaged.
    """
    paths = sorted((voc_folder / "Annotations").glob("*.xml"))
    if not paths:
        raise UserError(
            f"No annotation files at '{voc_folder}/Annotations/*.xml'. docs/prepare/pascal_voc.md "
            "says what to download and where to unpack it."
        )
    for path in tqdm.tqdm(paths, unit=" files", disable=None):
        with reading(path, "an annotation of Pascal VOC"):
            annotation = xml.etree.ElementTree.parse(path).getroot()
            objects = usable_objects(annotation)
        labels_path = voc_folder / "SegmentationObject" / f"{path.stem}.png"
        # Images without a segmentation are left out; the original implementation fails.
        if objects and labels_path.exists():
            image_name = annotation.findtext("filename", f"{path.stem}.jpg")
            image = read_image(str(voc_folder / "JPEGImages" / image_name))
            labels = _read_labels(labels_path, image.shape[:2])
            cuts = (cut_out(image, labels, found) for found in objects)
            yield from (occluder for occluder in cuts if occluder is not None)


def usable_objects(annotation: xml.etree.ElementTree.Element) -> list[VocObject]:
    """Returns the whole, easy objects of a segmented image that are not people.

    Args:
        annotation: Root element of an annotation file.
    """
    if annotation.findtext("segmented", "0").strip() == "0":
        return []
    return [
        # Boxes count pixels from 1 but are used unchanged (as in the original implementation).
        VocObject(label, _box_side(found, "y"), _box_side(found, "x"))
        for label, found in enumerate(annotation.findall("object"), start=1)
        if found.findtext("name", "").strip() != "person"
        and not _is_set(found, "difficult")
        and not _is_set(found, "truncated")
    ]


def cut_out(image: np.ndarray, labels: np.ndarray, found: VocObject) -> Optional[Occluder]:
    """Returns an object with soft borders at half its size, or None if it is too small.

    Args:
        image: uint8 `[h, w, 3]` RGB.
        labels: Number of the object of each pixel, `[h, w]`.
        found: The object.
    """
    box = found.rows, found.columns
    mask = (labels[box] == found.label).astype(np.uint8)
    if mask.sum() < _MIN_PIXELS:
        return None
    return Occluder(resized(image[box], _SCALE), resized(soften_mask(mask), _SCALE))


def convert(data_root: pathlib.Path) -> int:
    """Writes the occluders below a data root and returns their number.

    Raises:
        UserError: the data are missing or damaged, or have no usable object.
    """
    voc_folder = data_root / "pascal_voc"
    return write_occluders(data_root / OCCLUDERS_FOLDER, occluders_in(voc_folder))


def _read_labels(path: pathlib.Path, imshape: tuple[int, ...]) -> np.ndarray:
    """Returns the number of the object that each pixel belongs to."""
    with reading(path, "a segmentation image with a palette"):
        with PIL.Image.open(path) as file:
            labels = np.asarray(file)
        if labels.shape != imshape:
            raise ValueError(f"{labels.shape} numbers for an image of {imshape} pixels")
    return labels


def _box_side(found: xml.etree.ElementTree.Element, axis: str) -> slice:
    # Some files have fractional pixels.
    ends = [found.findtext(f"bndbox/{axis}{end}", "0") for end in ("min", "max")]
    return slice(*(int(float(text)) for text in ends))


def _is_set(found: xml.etree.ElementTree.Element, name: str) -> bool:
    return found.findtext(name, "0").strip() != "0"


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    define_data_root(values)


def run(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    reject_positional_args(words)
    data_root = data_root_of(values)
    print(f"{convert(data_root)} occluders in {data_root / OCCLUDERS_FOLDER}")


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line and returns its exit code."""
    return run_command(__doc__, define_flags, run, arguments)


if __name__ == "__main__":
    sys.exit(main())
