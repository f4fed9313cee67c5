"""What the converters of MPI-INF-3DHP share: downloads, videos, boxes, crop options."""

from __future__ import annotations

import itertools
import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from data_preparation.common.converter import Download
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.matching import joint_box, union_with_best_detection
from data_preparation.common.video import read_frames
from metrabs.datasets.mpi_inf_3dhp import FOLDER
from metrabs.datasets.mpi_inf_3dhp_train import View
from metrabs.geometry.camera import Camera

SITE = "gvv.mpi-inf.mpg.de/3dhp-dataset"
# Mask of the green screen: brighter pixels show a person.
# Deviation: with its mix-up of units, the original implementation also takes compression noise
# for people.
MASK_THRESHOLD = 32
CROP_OPTIONS = CropOptions(adjust_3dhp_colors=True)
_BOX_FACTOR = 1.05
# Image and mask videos differ in length by a few frames.
_TOLERATED_SHORTAGE = 16


def training_downloads(
    subjects: Collection[int], sequences: Collection[int], cameras: Collection[int]
) -> list[Download]:
    """Returns the files of the given views: annotations, cameras, videos and masks."""
    advice = (
        f"set the subjects, download_masks=1 and the camera groups in conf.ig of {SITE}, "
        "run its get_dataset.sh and unpack the archives"
    )
    names = ["annot.mat", "camera.calibration"] + [
        f"{kind}/video_{camera}.avi" for camera in cameras for kind in ("imageSequence", "FGmasks")
    ]
    return [
        Download(f"{FOLDER}/S{subject}/Seq{sequence}/{name}", advice)
        for subject in subjects
        for sequence in sequences
        for name in names
    ]


def synchronous_frames(
    folder: pathlib.Path,
    view: View,
    indices: Collection[int],
    kinds: Sequence[str] = ("imageSequence", "FGmasks"),
) -> Iterator[tuple[Any, ...]]:
    """Yields chosen frames of several videos of a view.

    Args:
        folder: Folder of the dataset.
        view: The view.
        indices: Numbers of the frames, from 0.
        kinds: Folders of the videos. Masks ('FGmasks', 'ChairMasks') are in the red channel.

    Yields:
        The index, then the frame of each video, uint8 `[h, w, 3]` RGB.
    """
    streams = [
        read_frames(
            folder / view.folder / kind / f"video_{view.camera}.avi",
            indices,
            tolerated_shortage=_TOLERATED_SHORTAGE,
        )
        for kind in kinds
    ]
    # All are read to the end, where damage becomes apparent.
    for frames in itertools.zip_longest(*streams):
        if all(frame is not None for frame in frames):
            yield (frames[0][0], *(image for _, image in frames))


def person_box(joints_mm: np.ndarray, camera: Camera, detections: np.ndarray) -> np.ndarray:
    """Returns the box `[4]` around joints `[J, 3]` (world mm) and the detection of this person."""
    box = joint_box(camera.world_to_image(joints_mm), _BOX_FACTOR)
    return union_with_best_detection(box, detections)
