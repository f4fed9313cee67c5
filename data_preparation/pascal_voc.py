"""Cuts objects out of Pascal VOC 2012, which augmentation pastes over people.

    python -m data_preparation.pascal_voc --data_root=FOLDER

Reads `<data_root>/pascal_voc`, writes `<data_root>/pascal_voc/occluders`; training finds them
there. docs/prepare/pascal_voc.md tells what to download.
"""

from __future__ import annotations

import os
import pathlib
import sys
import xml.etree.ElementTree
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Optional

import numpy as np
import PIL.Image
import tqdm
from absl import flags

from metrabs.cli import no_words, required, run_command
from metrabs.data.augmentation.occluder_table import write_occluders
from metrabs.data.augmentation.occlusion import resized, soften_mask
from metrabs.data.augmentation.pools import Occluder
from metrabs.data.augmentation.sources import OCCLUDERS_FOLDER
from metrabs.data.images import read_image
from metrabs.errors import UserError

_MIN_PIXELS = 500
_SCALE = 0.5


class VocObject(NamedTuple):
    """A usable object of an annotation file.

    Attributes:
        label: its value in the segmentation image.
        rows, columns: of its box.
    """

    label: int
    rows: slice
    columns: slice


def occluders_in(voc_folder: pathlib.Path) -> Iterator[Occluder]:
    """Yields the occluders of a VOC folder in the order of the annotation files' names.

    Deviation: the release takes the files in the order in which the file system lists them.

    Raises:
        UserError: there are no annotation files, or an image is missing or damaged.
    """
    paths = sorted((voc_folder / "Annotations").glob("*.xml"))
    if not paths:
        raise UserError(
            f"No annotation files at '{voc_folder}/Annotations/*.xml'. docs/prepare/pascal_voc.md "
            "tells what to download and where to unpack it."
        )
    for path in tqdm.tqdm(paths, unit=" files", disable=None):
        annotation = _read_annotation(path)
        labels_path = voc_folder / "SegmentationObject" / f"{path.stem}.png"
        objects = usable_objects(annotation)
        # A missing segmentation, at which the release fails, leaves out its image.
        if objects and labels_path.exists():
            image_name = annotation.findtext("filename", f"{path.stem}.jpg")
            image = read_image(str(voc_folder / "JPEGImages" / image_name))
            labels = np.asarray(PIL.Image.open(labels_path))
            cuts = (cut_out(image, labels, found) for found in objects)
            yield from (occluder for occluder in cuts if occluder is not None)


def usable_objects(annotation: xml.etree.ElementTree.Element) -> list[VocObject]:
    """Returns the whole, easy objects of a segmented image that are not people.

    Args:
        annotation: root of an annotation file.
    """
    if annotation.findtext("segmented", "0").strip() == "0":
        return []
    return [
        # Boxes are used as they are, though they count pixels from 1 (as released).
        VocObject(label, _box_side(found, "y"), _box_side(found, "x"))
        for label, found in enumerate(annotation.findall("object"), start=1)
        if found.findtext("name", "").strip() != "person"
        and not _is_set(found, "difficult") and not _is_set(found, "truncated")
    ]


def cut_out(image: np.ndarray, labels: np.ndarray, found: VocObject) -> Optional[Occluder]:
    """Returns an object with soft borders at half its size, or None if it is too small.

    Args:
        image: uint8 [h, w, 3] RGB.
        labels: [h, w], numbers of objects.
        found: the object.
    """
    box = found.rows, found.columns
    mask = (labels[box] == found.label).astype(np.uint8)
    if mask.sum() < _MIN_PIXELS:
        return None
    return Occluder(resized(image[box], _SCALE), resized(soften_mask(mask), _SCALE))


def convert(data_root: pathlib.Path) -> int:
    """Writes the occluders below a data root and returns their number.

    Raises:
        UserError: the data are missing or damaged, or hold no usable object.
    """
    voc_folder = data_root / "pascal_voc"
    return write_occluders(data_root / OCCLUDERS_FOLDER, occluders_in(voc_folder))


def _read_annotation(path: pathlib.Path) -> xml.etree.ElementTree.Element:
    try:
        return xml.etree.ElementTree.parse(path).getroot()
    except xml.etree.ElementTree.ParseError as error:
        raise UserError(f"Annotation '{path}' is damaged: {error}. Unpack it again.") from error


def _box_side(found: xml.etree.ElementTree.Element, axis: str) -> slice:
    # Some files have fractions.
    ends = [found.findtext(f"bndbox/{axis}{end}", "0") for end in ("min", "max")]
    return slice(*(int(float(text)) for text in ends))


def _is_set(found: xml.etree.ElementTree.Element, name: str) -> bool:
    return found.findtext(name, "0").strip() != "0"


def define_flags(values: flags.FlagValues) -> None:
    """Declares the flags of this command."""
    flags.DEFINE_string("data_root", os.environ.get("DATA_ROOT"),
                        "folder of all data; default: $DATA_ROOT", flag_values=values)


def run(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Runs the command with parsed flags."""
    no_words(words)
    data_root = pathlib.Path(*required(values, "data_root")).absolute()
    print(f"{convert(data_root)} occluders in {data_root / OCCLUDERS_FOLDER}")


if __name__ == "__main__":
    sys.exit(run_command(__doc__, define_flags, run))
