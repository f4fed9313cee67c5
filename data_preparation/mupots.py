"""MuPoTS-3D: groups of two and three people, a benchmark; 17 joints.

Images stay full, since its protocol starts from them. `docs/prepare/mupots.md` tells what to
download.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from data_preparation.common.converter import Converter, Download, option
from data_preparation.common.matching import assign_boxes, joint_box
from data_preparation.common.workbench import Workbench
from metrabs.data.examples import Example, Pose3DExample
from metrabs.datasets import mupots
from metrabs.geometry.camera import Camera

_PELVIS_LAST = [*range(14), 15, 16, 14]
_MIN_CONFIDENCE = 0.1
_BOX_FACTOR = 1.1
_ADVICE = ("download MultiPersonTestSet.zip from "
           "gvv.mpi-inf.mpg.de/projects/SingleShotMultiPerson and unpack it into 'mupots'")


@dataclasses.dataclass(frozen=True)
class MuPoTS(Converter):
    """Converts MuPoTS-3D; see the fields for its settings.

    The test phase has an example without joints for each detection; the validation phase has the
    annotated people, with the boxes of the detections assigned to them.
    """

    NAME = "mupots"
    TITLE = "MuPoTS-3D"
    FOLDER = mupots.FOLDER
    DETECTION_FILES = ("yolov4_detections.pkl", "yolov3_detections.pkl")

    names: tuple[str, ...] = option(mupots.SEQUENCES, "which sequences to convert", True)
    include_invalid: bool = option(
        False, "also validate on people who are marked invalid, as the release did")

    @property
    def needs_detections(self) -> bool:
        """Both phases have boxes of a person detector."""
        return True

    def downloads(self) -> Sequence[Download]:
        """Returns the annotation file and the images of each sequence."""
        return [Download(f"mupots/{name}/{file}", _ADVICE)
                for name in self.names for file in ("annot.mat", "img_*.jpg")]

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        """Lists the sequences."""
        del data_root
        return list(self.names)

    def examples(self, sequence: str, bench: Workbench) -> Iterator[tuple[str, Example]]:
        """Yields detections and annotated people of a sequence."""
        annotated = mupots.read_people(bench.folder / sequence / "annot.mat")
        camera = mupots.camera_of(annotated)
        for frame, people in itertools.groupby(annotated, key=lambda person: person.frame):
            key = f"{sequence}/img_{frame:06d}.jpg"
            detections = bench.detect(key)
            detections = detections[detections[:, 4] > _MIN_CONFIDENCE]
            common: dict[str, Any] = dict(
                image_path=mupots.image_path(sequence, frame), camera=camera,
                scene_name=sequence)
            yield from _detected(detections, common)
            chosen = [person for person in people if person.is_valid or self.include_invalid]
            pairs = assign_boxes(_boxes(chosen, camera), detections)
            for _ in range(len(chosen) - len(pairs)):
                bench.skip("no detection of an annotated person", key)
            for p, d in pairs:
                yield "valid", Pose3DExample(
                    world_coords=chosen[p].joints_mm[_PELVIS_LAST],
                    univ_coords=chosen[p].universal_mm[_PELVIS_LAST],
                    bbox=detections[d, :4], **common)


def _detected(
    detections: np.ndarray, common: dict[str, Any]
) -> Iterator[tuple[str, Pose3DExample]]:
    # Deviation: the release stores ones for the joints, which nobody knows.
    unknown = np.full((len(_PELVIS_LAST), 3), np.nan, np.float32)
    for detection in detections:
        yield "test", Pose3DExample(world_coords=unknown, bbox=detection[:4], **common)


def _boxes(people: Sequence[mupots.Person], camera: Camera) -> np.ndarray:
    """Returns [n, 4] boxes around the joints of people."""
    return np.array([
        joint_box(camera.camera_to_image(person.joints_mm), _BOX_FACTOR) for person in people])
