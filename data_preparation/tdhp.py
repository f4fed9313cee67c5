"""MPI-INF-3DHP: actors in front of a green screen, seen at chest height; six test sequences.

17 joints. `docs/prepare/tdhp.md` says what to download. `data_preparation.tdhp_full` converts all
cameras and joints of the training set.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from data_preparation import tdhp_files
from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples, SplitSequence
from data_preparation.common.crop_images import SourceMask
from data_preparation.common.sampling import AdaptivePoseSampler
from data_preparation.common.studio import choose_frames, list_views
from data_preparation.tdhp_files import CROP_OPTIONS, MASK_THRESHOLD, person_box
from metrabs.data.examples import Example, Pose3DExample
from metrabs.datasets import mpi_inf_3dhp
from metrabs.datasets.mpi_inf_3dhp_train import View, calibrated_camera, read_poses
from metrabs.errors import unknown_name_error
from metrabs.geometry.camera import Camera
from metrabs.settings import setting

_SOURCE_INDICES = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 3, 6, 4]
_FRAME_STEP = 5


class TestSequence(NamedTuple):
    """One of the test sequences, numbered from 1."""

    number: int

    def __str__(self) -> str:
        return f"TS{self.number}"


@dataclasses.dataclass(frozen=True)
class MpiInf3dhp(Converter):
    """Converts MPI-INF-3DHP; its fields are its settings."""

    NAME = "tdhp"
    TITLE = "MPI-INF-3DHP"
    FOLDER = mpi_inf_3dhp.FOLDER
    DETECTION_FILES = ("yolov4_person_detections.pkl", "yolov3_person_detections.pkl")

    train_subjects: tuple[int, ...] = setting(
        (1, 2, 3, 4, 5, 6, 7), "subjects of the training split, from 1", selects=True
    )
    valid_subjects: tuple[int, ...] = setting(
        (8,), "subjects of the validation split, from 1", selects=True
    )
    sequence_numbers: tuple[int, ...] = setting(
        (1, 2), "sequences of each subject, from 1", selects=True
    )
    recordings: tuple[str, ...] = setting(
        (),
        "subject and sequence of those to convert, such as S1/Seq1,S2/Seq2; default: all "
        "combinations of the subjects and sequences",
        selects=True,
    )
    cameras: tuple[int, ...] = setting(
        (0, 1, 2, 4, 5, 6, 7, 8), "cameras to convert, from 0", selects=True
    )
    test_sequences: tuple[int, ...] = setting(
        (1, 2, 3, 4, 5, 6), "test sequences, from 1", selects=True
    )
    aspect_scales_center: bool = setting(
        False,
        "let the pixel aspect scale the principal point of the test cameras, as in the "
        "original implementation (3.85 px in TS5 and TS6)",
    )

    def downloads(self) -> Sequence[Download]:
        """Returns the files of each training sequence and of the test set."""
        advice = (
            f"run get_testset.sh of {tdhp_files.SITE} and move its folders TS1..TS6 into '3dhp'"
        )
        return [
            *(
                download
                for download in tdhp_files.training_downloads(
                    (*self.train_subjects, *self.valid_subjects),
                    self.sequence_numbers,
                    self.cameras,
                )
                if self._is_chosen("/".join(download.pattern.split("/")[1:3]))
            ),
            *(
                Download(f"{self.FOLDER}/TS{number}/{name}", advice)
                for number in self.test_sequences
                for name in ("annot_data.mat", "imageSequence/img_*.jpg")
            ),
        ]

    def sequences(self, data_root: pathlib.Path) -> list[SplitSequence]:
        """Lists the views of training and validation, and the test sequences."""
        del data_root
        subjects = {"train": self.train_subjects, "valid": self.valid_subjects}
        views = list_views(self.TITLE, View, subjects, self.sequence_numbers, self.cameras)
        unknown = set(self.recordings) - {view.source.folder for view in views}
        if unknown:
            raise unknown_name_error(
                f"recording of {self.TITLE}", min(unknown), {v.source.folder for v in views}
            )
        views = [view for view in views if self._is_chosen(view.source.folder)]
        tests = [SplitSequence("test", TestSequence(number)) for number in self.test_sequences]
        return [*views, *tests]

    def _is_chosen(self, recording: str) -> bool:
        return not self.recordings or recording in self.recordings

    def examples(self, sequence: SplitSequence, context: ConversionContext) -> SplitExamples:
        """Yields the people of a view or test sequence."""
        examples = (
            self._test_examples(sequence.source, context)
            if sequence.split == "test"
            else self._cropped_examples(sequence.source, context)
        )
        return ((sequence.split, example) for example in examples)

    def _cropped_examples(self, view: View, context: ConversionContext) -> Iterator[Example]:
        camera, imsize_wh = calibrated_camera(context.folder, view)
        poses = [
            camera.camera_to_world(joints_mm[:, _SOURCE_INDICES])
            for joints_mm in read_poses(context.folder, view)
        ]
        chosen = _chosen_frames(poses[0], camera, imsize_wh, str(view), context)
        for index, image, mask in tdhp_files.synchronous_frames(context.folder, view, chosen):
            key = f"{view.folder}/imageSequence/img_{view.camera}_{index:06d}.jpg"
            example = Pose3DExample(
                image_path=key,
                world_coords=poses[0][index],
                univ_coords=poses[1][index],
                bbox=person_box(poses[0][index], camera, context.detect(key, image)),
                camera=camera,
                image=image,
            )
            person = SourceMask(mask[..., 0], MASK_THRESHOLD, single_component=True)
            cropped = context.crop(example, f"{self.crop_folder}/{key}", CROP_OPTIONS, person)
            if cropped is not None:
                yield cropped

    def _test_examples(
        self, sequence: TestSequence, context: ConversionContext
    ) -> Iterator[Example]:
        """Yields full images, which the protocol of the benchmark starts from."""
        camera = mpi_inf_3dhp.camera_of(sequence.number, self.aspect_scales_center)
        for frame in mpi_inf_3dhp.read_test_frames(context.folder / f"{sequence}/annot_data.mat"):
            key = f"{sequence}/imageSequence/img_{frame.number:06d}.jpg"
            joints_mm = camera.camera_to_world(frame.joints_mm)
            yield Pose3DExample(
                image_path=f"{self.FOLDER}/{key}",
                world_coords=joints_mm,
                univ_coords=camera.camera_to_world(frame.universal_mm),
                bbox=person_box(joints_mm, camera, context.detect(key)),
                camera=camera,
                activity_name=frame.activity,
                scene_name=mpi_inf_3dhp.scene_of(sequence.number),
            )


def _chosen_frames(
    poses_mm: np.ndarray,
    camera: Camera,
    imsize_wh: tuple[int, int],
    view: str,
    context: ConversionContext,
) -> set[int]:
    """Returns the frames with the whole person in the image that differ enough."""
    indices = range(0, len(poses_mm), _FRAME_STEP)
    is_whole = np.array([camera.is_visible(pose_mm, imsize_wh).all() for pose_mm in poses_mm])
    for index in indices:
        if not is_whole[index]:
            context.skip("person not entirely in the image", f"{view}, frame {index}")
    return set(choose_frames(poses_mm, AdaptivePoseSampler(100), indices, is_whole))
