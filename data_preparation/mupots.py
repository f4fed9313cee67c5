"""MuPoTS-3D: groups of two and three people, a benchmark; 17 joints.

Images are not cropped, since its protocol starts from full images. `docs/prepare/mupots.md` says
what to download.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples
from data_preparation.common.matching import assign_boxes, joint_box
from metrabs.data.examples import Pose3DExample
from metrabs.datasets import mupots
from metrabs.geometry.camera import Camera
from metrabs.settings import setting

_PELVIS_LAST = [*range(14), 15, 16, 14]
_MIN_CONFIDENCE = 0.1
_BOX_FACTOR = 1.1
_ADVICE = (
    "download MultiPersonTestSet.zip from "
    "gvv.mpi-inf.mpg.de/projects/SingleShotMultiPerson and unpack it into 'mupots'"
)


@dataclasses.dataclass(frozen=True)
class MuPoTS(Converter):
    """Converts MuPoTS-3D; its fields are its settings.

    The test split has an example without joints for each detection; the validation split has the
    annotated people, with the boxes of the detections assigned to them.
    """

    NAME = "mupots"
    TITLE = "MuPoTS-3D"
    FOLDER = mupots.FOLDER
    DETECTION_FILES = ("yolov4_detections.pkl", "yolov3_detections.pkl")

    names: tuple[str, ...] = setting(mupots.SEQUENCES, "sequences to convert", selects=True)
    include_invalid: bool = setting(
        False, "also validate on people marked invalid, like the original implementation"
    )

    @property
    def needs_detections(self) -> bool:
        """Both splits have boxes of a person detector."""
        return True

    def downloads(self) -> Sequence[Download]:
        """Returns the annotation file and the images of each sequence."""
        return [
            Download(f"mupots/{name}/{file}", _ADVICE)
            for name in self.names
            for file in ("annot.mat", "img_*.jpg")
        ]

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        """Lists the sequences."""
        del data_root
        return list(self.names)

    def examples(self, sequence: str, context: ConversionContext) -> SplitExamples:
        """Yields detections and annotated people of a sequence."""
        annotated = mupots.read_people(context.folder / sequence / "annot.mat")
        camera = mupots.camera_of(annotated)
        for frame, people in itertools.groupby(annotated, key=lambda person: person.frame):
            key = f"{sequence}/img_{frame:06d}.jpg"
            detections = context.detect(key)
            detections = detections[detections[:, 4] > _MIN_CONFIDENCE]
            common: dict[str, Any] = dict(
                image_path=mupots.image_path(sequence, frame), camera=camera, scene_name=sequence
            )
            yield from _detected(detections, common)
            chosen = [person for person in people if person.is_valid or self.include_invalid]
            pairs = assign_boxes(_boxes(chosen, camera), detections)
            for _ in range(len(chosen) - len(pairs)):
                context.skip("no detection of an annotated person", key)
            for p, d in pairs:
                yield (
                    "valid",
                    Pose3DExample(
                        world_coords=chosen[p].joints_mm[_PELVIS_LAST],
                        univ_coords=chosen[p].universal_mm[_PELVIS_LAST],
                        bbox=detections[d, :4],
                        **common,
                    ),
                )


def _detected(
    detections: np.ndarray, common: dict[str, Any]
) -> Iterator[tuple[str, Pose3DExample]]:
    # Deviation: the original implementation stores ones for these unknown joints.
    unknown = np.full((len(_PELVIS_LAST), 3), np.nan, np.float32)
    for detection in detections:
        yield "test", Pose3DExample(world_coords=unknown, bbox=detection[:4], **common)


def _boxes(people: Sequence[mupots.Person], camera: Camera) -> np.ndarray:
    """Returns [n, 4] boxes around the joints of people."""
    return np.array(
        [joint_box(camera.camera_to_image(person.joints_mm), _BOX_FACTOR) for person in people]
    )
