"""MPI-INF-3DHP with all 14 cameras and 28 joints, for training.

The files are those of `data_preparation.tdhp`. Every frame that differs enough is taken, including
close-ups, truncated people and views from the ceiling. `docs/prepare/tdhp_full.md` says what to
download.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from data_preparation import tdhp_files
from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples
from data_preparation.common.crop_images import SourceMask
from data_preparation.common.sampling import AdaptivePoseSampler
from data_preparation.tdhp_files import CROP_OPTIONS, MASK_THRESHOLD, person_box
from metrabs.data.examples import Pose3DExample
from metrabs.datasets import mpi_inf_3dhp
from metrabs.datasets.mpi_inf_3dhp_train import View, calibrated_camera, read_poses
from metrabs.geometry.camera import Camera
from metrabs.settings import setting

SOURCE_INDICES = [
    0,
    1,
    2,
    8,
    12,
    13,
    17,
    21,
    22,
    26,
    27,
    7,
    5,
    14,
    15,
    16,
    9,
    10,
    11,
    23,
    24,
    25,
    18,
    19,
    20,
    3,
    6,
    4,
]
_MIN_VISIBLE_JOINTS = len(SOURCE_INDICES) // 3


@dataclasses.dataclass(frozen=True)
class MpiInf3dhpFull(Converter):
    """Converts all of MPI-INF-3DHP; its fields are its settings."""

    NAME = "tdhp_full"
    TITLE = "MPI-INF-3DHP, all cameras and joints"
    FOLDER = mpi_inf_3dhp.FOLDER
    DETECTION_FILES = ("yolov4_detections",)

    subjects: tuple[int, ...] = setting(
        (1, 2, 3, 4, 5, 6, 7, 8), "subjects to convert, from 1", selects=True
    )
    sequence_numbers: tuple[int, ...] = setting(
        (1, 2), "sequences of each subject, from 1", selects=True
    )
    cameras: tuple[int, ...] = setting(
        tuple(range(14)), "cameras to convert, from 0", selects=True
    )

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, separate from that of `tdhp`."""
        return "3dhp_full_downscaled"

    def downloads(self) -> Sequence[Download]:
        """Returns the files of each sequence."""
        return tdhp_files.training_downloads(self.subjects, self.sequence_numbers, self.cameras)

    def sequences(self, data_root: pathlib.Path) -> list[View]:
        """Lists all views."""
        del data_root
        return [
            View(subject, sequence, camera)
            for subject in self.subjects
            for sequence in self.sequence_numbers
            for camera in self.cameras
        ]

    def examples(self, sequence: View, context: ConversionContext) -> SplitExamples:
        """Yields the person in the chosen frames of a view."""
        view = sequence
        camera, imsize_wh = calibrated_camera(context.folder, view)
        poses_mm = camera.camera_to_world(
            read_poses(context.folder, view).joints_mm[:, SOURCE_INDICES]
        )
        chosen = _chosen_frames(poses_mm, camera, imsize_wh, view, context)
        video = f"{view.folder}/imageSequence/video_{view.camera}"
        for index, image, mask in tdhp_files.synchronous_frames(context.folder, view, chosen):
            detections = context.detect(f"{video}.avi:{index}", image)
            example = Pose3DExample(
                image_path=f"{video}/{index:06d}.jpg",
                world_coords=poses_mm[index],
                bbox=person_box(poses_mm[index], camera, detections),
                camera=camera,
                image=image,
            )
            people = SourceMask((mask[..., 0] > MASK_THRESHOLD) * np.uint8(255))
            crop_path = f"{self.crop_folder}/{example.image_path}"
            cropped = context.crop(example, crop_path, CROP_OPTIONS, people)
            if cropped is not None:
                yield "train", cropped


def _chosen_frames(
    poses_mm: np.ndarray,
    camera: Camera,
    imsize_wh: tuple[int, int],
    view: View,
    context: ConversionContext,
) -> set[int]:
    """Returns the frames that differ enough and show enough of the person.

    The next frames are also compared with a frame that shows too little (as in the original
    implementation).
    """
    sampler, chosen = AdaptivePoseSampler(100), set()
    for index, pose_mm in enumerate(poses_mm):
        if sampler.keep_if_moved(pose_mm):
            if camera.is_visible(pose_mm, imsize_wh).sum() >= _MIN_VISIBLE_JOINTS:
                chosen.add(index)
            else:
                context.skip("fewer than 9 joints in the image", f"{view}, frame {index}")
    return chosen
