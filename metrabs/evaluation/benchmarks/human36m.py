"""Human3.6M: every 64th frame of subjects 9 and 11, with the boxes of the dataset."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from metrabs.datasets.h36m import (
    CAMERA_NAMES,
    FOLDER,
    Recording,
    pose_folder,
    read_boxes,
    read_camera,
    read_poses,
)
from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.benchmarks.base import (
    ORIGINAL_SETTINGS,
    Benchmark,
    Frame,
    check_same_frames,
    read_sorted_predictions,
)
from metrabs.evaluation.metrics import wacv_metrics
from metrabs.evaluation.protocols import human36m as protocol
from metrabs.evaluation.report import MetricGroup
from metrabs.settings import setting

_PROTOCOL = (
    "subjects {subjects}, every 64th frame, the dataset's boxes, 17 joints relative to the "
    "pelvis, annotations of S9 as published"
)


@dataclasses.dataclass(frozen=True)
class Human36M(Benchmark):
    """Protocol 1 (and 2, after Procrustes alignment) of Human3.6M."""

    NAME: ClassVar[str] = "h36m"
    TITLE: ClassVar[str] = "Human3.6M"
    SETTINGS: ClassVar[PredictionSettings] = dataclasses.replace(
        ORIGINAL_SETTINGS, skeleton="h36m_17"
    )
    NOT_IN_PREDICTIONS: ClassVar[tuple[str, ...]] = ("only_s11",)

    only_s11: bool = setting(False, "evaluate only subject 11")

    @property
    def subjects(self) -> tuple[int, ...]:
        """Numbers of the subjects."""
        return (11,) if self.only_s11 else (9, 11)

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        """Lists subjects, activities and cameras such as 'S9/Eating 1.54138969'."""
        return [str(recording) for recording in self._recordings(data_root)]

    def frames(self, data_root: pathlib.Path, sequence: str) -> list[Frame]:
        """Lists the frames of a recording with their boxes and camera."""
        recording = next(r for r in self._recordings(data_root) if str(r) == sequence)
        camera = read_camera(data_root / FOLDER, recording)
        boxes = read_boxes(data_root / FOLDER, recording)
        return [
            Frame(path, camera, boxes[i])
            for i, path, _ in _truth_of_recording(data_root, recording)
        ]

    def evaluate(self, data_root: pathlib.Path, path: pathlib.Path) -> Sequence[MetricGroup]:
        """Evaluates predictions of 17 or 25 joints in world space."""
        predicted, poses_mm = read_sorted_predictions(path)
        if self.only_s11:
            is_kept = np.array(["/S11/" in name for name in predicted], bool)
            predicted = [name for name in predicted if "/S11/" in name]
            poses_mm = poses_mm[is_kept]
        if poses_mm.shape[1] == 25:
            poses_mm = poses_mm[:, protocol.POSITIONS_AMONG_25]
        truth = sorted(
            (
                (name, pose)
                for recording in self._recordings(data_root)
                for _, name, pose in _truth_of_recording(data_root, recording)
            ),
            key=lambda item: item[0],
        )
        check_same_frames(predicted, [name for name, _ in truth], path)
        true_mm = np.array([pose for _, pose in truth], np.float64)
        activities = [protocol.activity_of(name) for name in predicted]
        text = _PROTOCOL.format(subjects=" and ".join(map(str, self.subjects)))
        return [
            MetricGroup("WACV 2023", text, wacv_metrics(poses_mm, true_mm, protocol.ROOT_JOINT)),
            MetricGroup(
                "MPJPE by activity",
                text,
                protocol.error_per_activity(poses_mm, true_mm, activities),
            ),
            MetricGroup(
                "PA-MPJPE by activity",
                f"{text}; Procrustes alignment with scale",
                protocol.error_per_activity(poses_mm, true_mm, activities, procrustes=True),
            ),
        ]

    def _recordings(self, data_root: pathlib.Path) -> Iterator[Recording]:
        for subject in self.subjects:
            folder = pose_folder(data_root / FOLDER, subject)
            activities = sorted(p.stem for p in folder.glob("*.cdf") if "_" not in p.stem)
            if not activities:
                raise UserError(
                    f"There are no poses (*.cdf) in '{folder}'. Download and unpack "
                    f"Poses_D3_Positions_S{subject}.tgz; see docs/prepare/h36m.md."
                )
            for activity in activities:
                for camera in CAMERA_NAMES:
                    yield Recording(subject, activity, camera)


def _truth_of_recording(
    data_root: pathlib.Path, recording: Recording
) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yields index, image path and pose [17, 3] in world mm of the evaluated frames."""
    poses_mm = read_poses(data_root / FOLDER, recording.subject, recording.activity)
    for i in range(0, len(poses_mm), protocol.FRAME_STEP):
        yield (
            i,
            f"{FOLDER}/{recording.image_path(i)}",
            poses_mm[i, list(protocol.POSITIONS_AMONG_25)],
        )
