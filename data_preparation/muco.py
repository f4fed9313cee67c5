"""MuCo-3DHP: images of four people, composed of single-person frames of MPI-INF-3DHP.

The official composites are made by MATLAB scripts; here they are composed in the same way with
seeded random numbers. First the frames that may appear are extracted from the videos, then
composites are rendered and cropped. `docs/prepare/muco.md` says what to download.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence
from typing import NamedTuple, Optional, Union

import numpy as np

from data_preparation import muco_composites, tdhp_files
from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples
from data_preparation.common.crop_geometry import rollable_square
from data_preparation.common.crop_images import write_jpeg
from data_preparation.common.matching import detected_boxes
from data_preparation.muco_sources import Source, extract, read_extracted, read_source
from metrabs.data.examples import Pose3DExample
from metrabs.data.storage.masks import encode_mask
from metrabs.datasets.mpi_inf_3dhp_train import View
from metrabs.geometry import boxes
from metrabs.geometry.reprojection import reproject_image
from metrabs.settings import setting

_CHUNK_SIZE = 500
_MIN_CONFIDENCE = 0.1
_MAX_AREA_RATIO = 2
_ROOM = 1.2 / 0.85 / 0.85
_PERSON_SIDE_PX = 256 / 0.85
_ANTIALIAS = 4


class Chunk(NamedTuple):
    """Composites with consecutive numbers, which start from 1."""

    start: int
    stop: int

    def __str__(self) -> str:
        return f"composites/{self.start:06d}"


@dataclasses.dataclass(frozen=True)
class MuCo(Converter):
    """Composes and converts MuCo-3DHP; its fields are its settings."""

    NAME = "muco"
    TITLE = "MuCo-3DHP"
    FOLDER = "muco"
    VERSION = 2
    DETECTION_FILES = ("yolov4_detections.pkl", "yolov3_detections.pkl")

    num_composites: int = setting(200_000, "number of images to compose", selects=True)
    subjects: tuple[int, ...] = setting(
        (1, 2, 3, 4, 5, 6, 7, 8), "subjects of MPI-INF-3DHP, from 1"
    )
    sequence_numbers: tuple[int, ...] = setting((1, 2), "sequences of each subject, from 1")
    cameras: tuple[int, ...] = setting(tuple(range(11)), "cameras of MPI-INF-3DHP, from 0")
    first_frame: int = setting(179, "number of the first frame to use, from 0")
    seed: int = setting(0, "random seed of the composition")
    keep_composites: bool = setting(False, "also write the whole images, for a person detector")

    def downloads(self) -> Sequence[Download]:
        """Returns the files of MPI-INF-3DHP from which composites are made."""
        chairs = [
            download._replace(pattern=download.pattern.replace("FGmasks", "ChairMasks"))
            for download in tdhp_files.training_downloads(
                self.subjects, self.sequence_numbers, self.cameras
            )
            if "FGmasks" in download.pattern
        ]
        return [
            *tdhp_files.training_downloads(self.subjects, self.sequence_numbers, self.cameras),
            *chairs,
        ]

    def preparations(self, data_root: pathlib.Path) -> list[View]:
        """Lists the views whose frames are to be extracted."""
        del data_root
        return self._views()

    def sequences(self, data_root: pathlib.Path) -> list[Chunk]:
        """Lists chunks of composites."""
        del data_root
        end = self.num_composites + 1
        return [
            Chunk(start, min(start + _CHUNK_SIZE, end)) for start in range(1, end, _CHUNK_SIZE)
        ]

    def examples(self, sequence: Union[View, Chunk], context: ConversionContext) -> SplitExamples:
        """Extracts the frames of a view, or yields the people of a chunk of composites."""
        folder = context.data_root / tdhp_files.FOLDER
        frames = context.data_root / self.crop_folder / "frames"
        if isinstance(sequence, View):
            extract(folder, sequence, self.first_frame, self.seed, frames)
            return
        extracted = {view: read_extracted(frames, view) for view in self._views()}
        num_frames = {view: len(found.indices) for view, found in extracted.items()}
        for number in range(*sequence):
            composition = muco_composites.compose(number, num_frames, self.seed)
            sources = [
                read_source(folder, frames, view, extracted[view], row)
                for view, row in composition.frames
            ]
            image = muco_composites.render(sources, composition.gammas)
            yield from self._people(number, image, sources, context)

    def _people(
        self, number: int, image: np.ndarray, sources: Sequence[Source], context: ConversionContext
    ) -> SplitExamples:
        name = f"{number:06d}"
        stem = f"unaugmented_set_001/{name[:2]}/{name[:4]}/{name}"
        if self.keep_composites:
            write_jpeg(context.folder / f"{stem}.jpg", image)
        masks = muco_composites.visible_masks(sources)
        visible = map(muco_composites.visible_box, sources, masks)
        chosen = _final_boxes(list(visible), image, f"{stem}.jpg", context)
        for person, box in enumerate(chosen):
            if box is not None:
                crop_path = f"{self.crop_folder}/{stem}_{person}.jpg"
                yield (
                    "train",
                    _cropped(
                        image, sources[person], masks[person], box, context.data_root, crop_path
                    ),
                )

    def _views(self) -> list[View]:
        return [
            View(*numbers)
            for numbers in itertools.product(self.subjects, self.sequence_numbers, self.cameras)
        ]


def _final_boxes(
    visible_boxes: Sequence[Optional[np.ndarray]],
    image: np.ndarray,
    key: str,
    context: ConversionContext,
) -> list[Optional[np.ndarray]]:
    """Returns the box of the detection assigned to each person, None for those without.

    Without any detector, the boxes of the visible parts are returned.
    """
    candidates = [i for i, box in enumerate(visible_boxes) if box is not None]
    for _ in range(len(visible_boxes) - len(candidates)):
        context.skip("person hidden by others", key)
    if not context.can_detect:
        context.record_missing("no person detector; boxes of the visible masks", key)
        return list(visible_boxes)
    detections = context.detect(key, image)
    detections = detections[detections[:, 4] > _MIN_CONFIDENCE]
    given = [box for box in visible_boxes if box is not None]
    final: list[Optional[np.ndarray]] = [None] * len(visible_boxes)
    found = detected_boxes(given, detections, max_area_ratio=_MAX_AREA_RATIO)
    for i, box in zip(candidates, found):
        final[i] = box
    for _ in range(len(candidates) - sum(box is not None for box in final)):
        context.skip("no detection of a visible person", key)
    return final


def _cropped(
    image: np.ndarray,
    source: Source,
    is_visible: np.ndarray,
    box: np.ndarray,
    data_root: pathlib.Path,
    crop_path: str,
) -> Pose3DExample:
    """Writes the crop of a person: a scaled part of the composite, as in the original.

    Deviation: the mask shows this person; that of the original implementation shows all people and
    their chairs.
    """
    crop_box = boxes.intersection(
        boxes.expand(rollable_square(box), _ROOM), boxes.full(image.shape[1::-1])
    )
    scale = min(_PERSON_SIDE_PX / float(np.max(box[2:])), 1.0)
    imshape = (round(scale * crop_box[3]), round(scale * crop_box[2]))
    camera = source.camera.shift_image(-crop_box[:2], inplace=False).scale_output(scale)
    crop, levels = (
        reproject_image(full, source.camera, camera, imshape, antialias_factor=_ANTIALIAS)
        for full in (image, is_visible.astype(np.uint8) * np.uint8(255))
    )
    write_jpeg(data_root / crop_path, crop)
    return Pose3DExample(
        image_path=crop_path,
        world_coords=source.camera.camera_to_world(source.joints_mm),
        univ_coords=source.camera.camera_to_world(source.universal_mm),
        camera=camera,
        bbox=np.concatenate([box[:2] - crop_box[:2], box[2:]]) * scale,
        mask=encode_mask(levels > 127),
    )
