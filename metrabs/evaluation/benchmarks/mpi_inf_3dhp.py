"""MPI-INF-3DHP: the valid frames of the six test sequences; a detector finds the person."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from metrabs.datasets.mpi_inf_3dhp import (
    ACTIVITIES,
    SCENES,
    TestFrame,
    camera_of,
    read_test_frames,
    scene_of,
)
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.benchmarks.base import (
    ORIGINAL_SETTINGS,
    Benchmark,
    Frame,
    check_same_frames,
    read_sorted_predictions,
)
from metrabs.evaluation.protocols import mpi_inf_3dhp as protocol
from metrabs.evaluation.report import MetricGroup
from metrabs.settings import setting

_NUM_SEQUENCES = 6
_OFFICIAL_ORDER = [*range(14), 16, 14, 15]  # the reader puts the pelvis last
_PCK_GROUPS = (*ACTIVITIES, *SCENES)  # metrics that are a PCK although not named so


@dataclasses.dataclass(frozen=True)
class MpiInf3dhp(Benchmark):
    """The official numbers of MPI-INF-3DHP and those of the paper."""

    NAME: ClassVar[str] = "tdhp"
    TITLE: ClassVar[str] = "MPI-INF-3DHP"
    SETTINGS: ClassVar[PredictionSettings] = dataclasses.replace(
        ORIGINAL_SETTINGS, skeleton="mpi_inf_3dhp_17", detector_threshold=0.0, max_detections=1
    )
    NOT_IN_PREDICTIONS: ClassVar[tuple[str, ...]] = ("universal_skeleton",)

    universal_skeleton: bool = setting(False, "compare with the poses of the universal skeleton")
    aspect_scales_center: bool = setting(
        False,
        "let the pixel aspect scale the principal point of the test cameras, as in the "
        "original implementation (3.85 px in TS5 and TS6)",
    )

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        """Lists TS1 to TS6."""
        return [f"TS{number}" for number in range(1, _NUM_SEQUENCES + 1)]

    def frames(self, data_root: pathlib.Path, sequence: str) -> list[Frame]:
        """Lists the valid frames."""
        number = int(sequence[2:])
        camera = camera_of(number, self.aspect_scales_center)
        return [Frame(path, camera) for path, _ in _annotated(data_root, number)]

    def evaluate(self, data_root: pathlib.Path, path: pathlib.Path) -> Sequence[MetricGroup]:
        """Evaluates predictions of 17 joints in world space, one person per frame."""
        predicted, poses_mm = read_sorted_predictions(path)
        expected, true_mm, activities, scenes = [], [], [], []
        for number in range(1, _NUM_SEQUENCES + 1):
            for image_path, frame in _annotated(data_root, number):
                joints_mm = frame.universal_mm if self.universal_skeleton else frame.joints_mm
                expected.append(image_path)
                true_mm.append(camera_of(number).camera_to_world(joints_mm[_OFFICIAL_ORDER]))
                activities.append(frame.activity)
                scenes.append(scene_of(number))
        check_same_frames(predicted, expected, path)
        truth = np.array(true_mm, np.float64)
        text = (
            "TS1 to TS6, valid frames, best detection, {} joints relative to the pelvis, "
            f"{'universal' if self.universal_skeleton else 'metric'} skeleton"
        )
        pck_text = f"{text.format(14)}; PCK at 150 mm; MPJPE over 17 joints"
        classic, aligned = (
            protocol.classic_numbers(poses_mm, truth, activities, scenes, procrustes)
            for procrustes in (False, True)
        )
        return [
            MetricGroup(
                "WACV 2023", text.format(17), protocol.wacv_numbers(poses_mm, truth, scenes)
            ),
            MetricGroup("Official", pck_text, classic, _PCK_GROUPS),
            MetricGroup(
                "Official, aligned",
                f"{pck_text}; Procrustes alignment with scale",
                aligned,
                _PCK_GROUPS,
            ),
        ]


def _annotated(data_root: pathlib.Path, number: int) -> Iterator[tuple[str, TestFrame]]:
    for frame in read_test_frames(data_root / f"3dhp/TS{number}/annot_data.mat"):
        yield f"3dhp/TS{number}/imageSequence/img_{frame.number:06d}.jpg", frame
