"""MPI-INF-3DHP: actors before a green screen at chest height, and the six test sequences.

17 joints. `docs/prepare/tdhp.md` tells what to download. All cameras and joints of the training
part are in `data_preparation.tdhp_full`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from data_preparation import tdhp_files
from data_preparation.common.converter import Converter, Download, SplitSequence, option
from data_preparation.common.crop_images import SourceMask
from data_preparation.common.sampling import AdaptivePoseSampler
from data_preparation.common.workbench import Workbench
from data_preparation.tdhp_files import CROP_OPTIONS, MASK_THRESHOLD, person_box
from metrabs.data.examples import Example, Pose3DExample
from metrabs.datasets import mpi_inf_3dhp
from metrabs.datasets.mpi_inf_3dhp_train import View, calibrated_camera, read_poses
from metrabs.geometry.camera import Camera

_SOURCE_INDICES = [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 3, 6, 4]
_FRAME_STEP = 5


class TestSequence(NamedTuple):
    """One of the test sequences, numbered from 1."""

    number: int

    def __str__(self) -> str:
        return f"TS{self.number}"


@dataclasses.dataclass(frozen=True)
class MpiInf3dhp(Converter):
    """Converts MPI-INF-3DHP; see the fields for its settings."""

    NAME = "tdhp"
    TITLE = "MPI-INF-3DHP"
    FOLDER = mpi_inf_3dhp.FOLDER
    DETECTION_FILES = ("yolov4_person_detections.pkl", "yolov3_person_detections.pkl")

    train_subjects: tuple[int, ...] = option((1, 2, 3, 4, 5, 6, 7), "numbers from 1", True)
    valid_subjects: tuple[int, ...] = option((8,), "numbers from 1", True)
    sequence_numbers: tuple[int, ...] = option((1, 2), "of each subject", True)
    cameras: tuple[int, ...] = option((0, 1, 2, 4, 5, 6, 7, 8), "numbers from 0", True)
    test_sequences: tuple[int, ...] = option((1, 2, 3, 4, 5, 6), "numbers from 1", True)

    def downloads(self) -> Sequence[Download]:
        """Returns the files of each training sequence and of the test set."""
        advice = (f"run get_testset.sh of {tdhp_files.SITE} and move its folders TS1..TS6 into "
                  "'3dhp'")
        return [
            *tdhp_files.training_downloads(
                (*self.train_subjects, *self.valid_subjects), self.sequence_numbers,
                self.cameras),
            *(Download(f"{self.FOLDER}/TS{number}/{name}", advice)
              for number in self.test_sequences
              for name in ("annot_data.mat", "imageSequence/img_*.jpg")),
        ]

    def sequences(self, data_root: pathlib.Path) -> list[SplitSequence]:
        """Lists the views of training and validation, and the test sequences."""
        del data_root
        subjects = {"train": self.train_subjects, "valid": self.valid_subjects}
        views = [
            SplitSequence(split, View(subject, sequence, camera))
            for split, of_split in subjects.items() for subject in of_split
            for sequence in self.sequence_numbers for camera in self.cameras
        ]
        tests = [SplitSequence("test", TestSequence(number)) for number in self.test_sequences]
        return [*views, *tests]

    def examples(
        self, sequence: SplitSequence, bench: Workbench
    ) -> Iterator[tuple[str, Example]]:
        """Yields the people of a view or test sequence."""
        examples = (self._test_examples(sequence.source, bench) if sequence.split == "test"
                    else self._cropped_examples(sequence.source, bench))
        return ((sequence.split, example) for example in examples)

    def _cropped_examples(self, view: View, bench: Workbench) -> Iterator[Example]:
        camera, imsize_wh = calibrated_camera(bench.folder, view)
        poses = [
            camera.camera_to_world(joints_mm[:, _SOURCE_INDICES])
            for joints_mm in read_poses(bench.folder, view)
        ]
        chosen = _chosen_frames(poses[0], camera, imsize_wh, str(view), bench)
        for index, image, mask in tdhp_files.synchronous_frames(bench.folder, view, chosen):
            key = f"{view.folder}/imageSequence/img_{view.camera}_{index:06d}.jpg"
            example = Pose3DExample(
                image_path=key, world_coords=poses[0][index], univ_coords=poses[1][index],
                bbox=person_box(poses[0][index], camera, bench.detect(key, image)),
                camera=camera, image=image,
            )
            person = SourceMask(mask[..., 0], MASK_THRESHOLD, single_component=True)
            cropped = bench.crop(example, f"{self.crop_folder}/{key}", CROP_OPTIONS, person)
            if cropped is not None:
                yield cropped

    def _test_examples(self, sequence: TestSequence, bench: Workbench) -> Iterator[Example]:
        """Yields full images, since the protocol of the benchmark starts from them."""
        camera = mpi_inf_3dhp.camera_of(sequence.number)
        for frame in mpi_inf_3dhp.read_test_frames(bench.folder / f"{sequence}/annot_data.mat"):
            key = f"{sequence}/imageSequence/img_{frame.number:06d}.jpg"
            joints_mm = camera.camera_to_world(frame.joints_mm)
            yield Pose3DExample(
                image_path=f"{self.FOLDER}/{key}", world_coords=joints_mm,
                univ_coords=camera.camera_to_world(frame.universal_mm),
                bbox=person_box(joints_mm, camera, bench.detect(key)), camera=camera,
                activity_name=frame.activity, scene_name=mpi_inf_3dhp.scene_of(sequence.number),
            )


def _chosen_frames(
    poses_mm: np.ndarray, camera: Camera, imsize_wh: tuple[int, int], view: str, bench: Workbench
) -> set[int]:
    """Returns the frames with the whole person in the image that differ enough."""
    sampler, chosen = AdaptivePoseSampler(100), set()
    for index in range(0, len(poses_mm), _FRAME_STEP):
        if not camera.is_visible(poses_mm[index], imsize_wh).all():
            bench.skip("person not wholly in the image", f"{view}, frame {index}")
        elif sampler.keeps(poses_mm[index]):
            chosen.add(index)
    return chosen
