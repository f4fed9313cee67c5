"""Human3.6M: motion-captured actors in a laboratory, four cameras, 25 joints.

Videos, poses and boxes are read as downloaded; `docs/prepare/h36m.md` says what to download.
In addition to crops and cache files, this writes what the evaluation on full images needs: the
boxes of all frames and every 64th frame of the test videos.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Sequence

import numpy as np

from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples, SplitSequence
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.crop_images import write_jpeg
from data_preparation.common.sampling import AdaptivePoseSampler
from data_preparation.common.video import read_frames
from metrabs.data.examples import Pose3DExample
from metrabs.datasets.h36m import (
    CAMERA_NAMES,
    FOLDER,
    Recording,
    read_boxes,
    read_camera,
    read_poses,
)
from metrabs.errors import UserError, unknown_name_error
from metrabs.geometry.camera import Camera
from metrabs.settings import setting
from metrabs.skeletons import JointInfo
from metrabs.skeletons.conversion import JointConverter

_JOINTS_17 = JointInfo(
    "rhip,rkne,rank,lhip,lkne,lank,tors,neck,head,htop,lsho,lelb,lwri,rsho,relb,rwri,pelv",
    "htop-head-neck-lsho-lelb-lwri,neck-tors-pelv-lhip-lkne-lank",
)
_TRAIN_STEP, _TEST_STEP = 5, 64
_SHIFT_OF_S9_MM = np.array([-200, 0, 0], np.float32)
_SHIFTED_IN_S9 = ("SittingDown 1", "Waiting 1", "Greeting")
_PARTIAL_ROOM_FACTOR = 1.8
# The poses, boxes and video of a recording differ in length by a few frames.
_TOLERATED_SHORTAGE = 16


@dataclasses.dataclass(frozen=True)
class Human36M(Converter):
    """Converts Human3.6M; its fields are its settings."""

    NAME = "h36m"
    TITLE = "Human3.6M"
    FOLDER = FOLDER
    TAKES_CROP_MASKS = True

    train_subjects: tuple[int, ...] = setting(
        (1, 5, 6, 7, 8), "subjects of the training split", selects=True
    )
    valid_subjects: tuple[int, ...] = setting((), "subjects of the validation split", selects=True)
    test_subjects: tuple[int, ...] = setting((9, 11), "subjects of the test split", selects=True)
    cameras: tuple[str, ...] = setting(CAMERA_NAMES, "cameras to convert", selects=True)
    correct_s9: bool = setting(
        True, "correct poses and boxes of three activities of S9, which are annotated 20 cm off"
    )
    partial: bool = setting(
        False, "leave more room around people, for crops that show them partially"
    )

    def downloads(self) -> Sequence[Download]:
        """Returns the videos, poses and boxes of each subject, and the cameras."""
        found = [Download("h36m/Release-v1.2/metadata.xml", "download and unpack code-v1.2.zip")]
        for subject in (*self.train_subjects, *self.valid_subjects, *self.test_subjects):
            for pattern, archive in (
                ("Videos/*.mp4", "Videos"),
                ("MyPoseFeatures/D3_Positions/*.cdf", "Poses_D3_Positions"),
                ("MySegmentsMat/ground_truth_bb/*.mat", "Segments_mat_gt_bb"),
            ):
                advice = (
                    f"download and unpack {archive}_S{subject}.tgz of "
                    "vision.imar.ro/human3.6m, or choose other subjects"
                )
                found.append(Download(f"h36m/S{subject}/{pattern}", advice))
        return found

    def caches(self) -> dict[str, JointInfo]:
        """Returns the 17 joints of the benchmark and the 25 joints of the merged sets."""
        return {
            f"h36m{self._variant}": _JOINTS_17,
            f"h36m_alljoints{self._variant}": self.joint_info(),
        }

    @property
    def crop_folder(self) -> str:
        """Folder of the crops; those of the variants are separate."""
        return f"h36m_downscaled{self._variant}"

    @property
    def _variant(self) -> str:
        return ("_partial" if self.partial else "") + ("" if self.correct_s9 else "_incorrect_S9")

    def sequences(self, data_root: pathlib.Path) -> list[SplitSequence]:
        """Lists subjects, activities (those with videos) and cameras."""
        subjects = {
            "train": self.train_subjects,
            "valid": self.valid_subjects,
            "test": self.test_subjects,
        }
        numbers = [number for of_split in subjects.values() for number in of_split]
        if len(set(numbers)) < len(numbers):
            raise UserError(f"Human3.6M: a subject can be in one split only, got {subjects}.")
        for camera in self.cameras:
            if camera not in CAMERA_NAMES:
                raise unknown_name_error("camera of Human3.6M", camera, CAMERA_NAMES)
        return [
            SplitSequence(split, Recording(subject, activity, camera))
            for split, of_split in subjects.items()
            for subject in of_split
            for activity in _activities(data_root / "h36m" / f"S{subject}" / "Videos")
            for camera in self.cameras
        ]

    def examples(self, sequence: SplitSequence, context: ConversionContext) -> SplitExamples:
        """Yields the chosen frames of a recording."""
        recording: Recording = sequence.source
        camera = read_camera(context.folder, recording)
        poses_mm, boxes_px = self._poses_and_boxes(recording, camera, context.folder)
        options = CropOptions(room_factor=_PARTIAL_ROOM_FACTOR if self.partial else 1)
        video = recording.file(context.folder, "Videos", "mp4")
        chosen = self._chosen_frames(sequence.split, poses_mm)
        # Deviation: the original implementation crops from JPEG copies of the frames, which lose
        # quality and take space.
        for index, image in read_frames(video, chosen, tolerated_shortage=_TOLERATED_SHORTAGE):
            image_path = recording.image_path(index)
            if sequence.split == "test":
                write_jpeg(context.folder / image_path, image)
            example = Pose3DExample(
                image_path=f"{FOLDER}/{image_path}",
                world_coords=poses_mm[index],
                bbox=boxes_px[index],
                camera=camera,
                image=image,
                activity_name=recording.activity_name,
            )
            cropped = context.crop(example, f"{self.crop_folder}/{image_path}", options)
            if cropped is not None:
                yield sequence.split, cropped

    def _poses_and_boxes(
        self, recording: Recording, camera: Camera, folder: pathlib.Path
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns poses [n, 25, 3] in world mm and boxes [n, 4] of all frames."""
        poses_mm = read_poses(folder, recording.subject, recording.activity)
        boxes_px = read_boxes(folder, recording)
        num_frames = min(len(poses_mm), len(boxes_px))
        poses_mm, boxes_px = poses_mm[:num_frames], boxes_px[:num_frames]
        is_shifted = recording.subject == 9 and recording.activity in _SHIFTED_IN_S9
        if self.correct_s9 and is_shifted:
            pelvis_depths = camera.world_to_camera(poses_mm[:, -1])[:, 2]
            boxes_px = _shifted_boxes(boxes_px, pelvis_depths, camera)
            poses_mm = poses_mm + _SHIFT_OF_S9_MM
        return poses_mm, boxes_px

    def _chosen_frames(self, split: str, poses_mm: np.ndarray) -> Collection[int]:
        if split != "train":
            return range(0, len(poses_mm), _TEST_STEP)
        sampler = AdaptivePoseSampler(100)
        indices_17 = JointConverter(self.joint_info(), _JOINTS_17).source_indices
        return {
            i
            for i in range(0, len(poses_mm), _TRAIN_STEP)
            if sampler.keep_if_moved(poses_mm[i, indices_17])
        }


def _shifted_boxes(boxes_px: np.ndarray, depths_mm: np.ndarray, camera: Camera) -> np.ndarray:
    """Moves the corners of boxes [n, 4] in space, at the depths [n] of the people."""
    moved = []
    for first_corner in (boxes_px[:, :2], boxes_px[:, :2] + boxes_px[:, 2:]):
        corners_mm = camera.image_to_world(first_corner, depths_mm) + _SHIFT_OF_S9_MM
        moved.append(camera.world_to_image(corners_mm))
    return np.concatenate([moved[0], moved[1] - moved[0]], axis=1)


def _activities(folder: pathlib.Path) -> list[str]:
    """Returns the activities with videos, without the compilations ('_ALL')."""
    names = {path.name.split(".")[0] for path in folder.glob("*.mp4")}
    return sorted(name for name in names if "_" not in name)
