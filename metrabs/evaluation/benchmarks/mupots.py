"""MuPoTS-3D: several people per frame, found by a detector and matched afterwards."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from metrabs.datasets.mupots import FOLDER, SEQUENCES, Person, camera_of, image_path, read_people
from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.benchmarks.base import (
    ORIGINAL_SETTINGS,
    Benchmark,
    Frame,
    read_sorted_predictions,
)
from metrabs.evaluation.metrics import wacv_metrics
from metrabs.evaluation.protocols import mupots as protocol
from metrabs.evaluation.report import MetricGroup
from metrabs.geometry.camera import Camera

_TEXT = "20 sequences, valid people, all detections, greedy matching in the image"


@dataclasses.dataclass(frozen=True)
class MuPoTS(Benchmark):
    """The official numbers of MuPoTS-3D and those of the paper."""

    NAME: ClassVar[str] = "mupots"
    TITLE: ClassVar[str] = "MuPoTS-3D"
    SETTINGS: ClassVar[PredictionSettings] = dataclasses.replace(
        ORIGINAL_SETTINGS, skeleton="mpi_inf_3dhp_17", internal_batch_size=128
    )

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        """Lists TS1 to TS20."""
        return list(SEQUENCES)

    def frames(self, data_root: pathlib.Path, sequence: str) -> list[Frame]:
        """Lists all images of a sequence."""
        folder = data_root / FOLDER / sequence
        num_frames = len(list(folder.glob("img_*.jpg")))
        if not num_frames:
            raise UserError(
                f"There are no images in '{folder}'. Unpack MultiPersonTestSet.zip into "
                f"'{data_root / FOLDER}'."
            )
        camera = camera_of(read_people(folder / "annot.mat"))
        return [Frame(image_path(sequence, number), camera) for number in range(num_frames)]

    def evaluate(self, data_root: pathlib.Path, path: pathlib.Path) -> Sequence[MetricGroup]:
        """Evaluates predicted people of 17 joints in camera space."""
        people = {name: read_people(data_root / FOLDER / name / "annot.mat") for name in SEQUENCES}
        cameras = {name: camera_of(of_sequence) for name, of_sequence in people.items()}
        valid = [
            (index, person)
            for index, name in enumerate(SEQUENCES)
            for person in people[name]
            if person.is_valid
        ]
        true = _annotated([index for index, _ in valid], [person for _, person in valid])
        pred = _predicted(path, cameras)
        of_true, of_pred = protocol.match_people(true, pred)
        if not of_true.size:
            raise UserError(f"None of the people in '{path}' is close to an annotated one.")
        universal_mm = np.array([person.universal_mm for _, person in valid])[of_true]
        matched = _Matched(
            pred.poses3d_cam_mm[of_pred],
            true.poses3d_cam_mm[of_true],
            universal_mm,
            true.sequences[of_true],
            np.bincount(true.sequences, minlength=len(SEQUENCES)),
        )
        recall = 100 * len(of_true) / len(valid)
        numbers = wacv_metrics(matched.pred_mm, matched.true_mm, protocol.ROOT_JOINT)
        return [
            MetricGroup(
                "WACV 2023",
                f"{_TEXT}; matched people, 17 joints relative to the pelvis, metric truth",
                {**numbers, "recall": recall},
            ),
            *matched.groups(),
        ]


@dataclasses.dataclass(frozen=True)
class _Matched:
    """Predicted and true poses [m, 17, 3] of matched people, and their sequences."""

    pred_mm: np.ndarray
    true_mm: np.ndarray
    universal_mm: np.ndarray
    sequences: np.ndarray
    num_annotated: np.ndarray

    def groups(self) -> list[MetricGroup]:
        """Returns the official numbers, for all combinations and all sequences."""
        groups = []
        for universal, relative, rescaled in itertools.product((True, False), repeat=3):
            numbers = protocol.numbers_per_sequence(
                self.pred_mm,
                self.universal_mm if universal else self.true_mm,
                self.sequences,
                self.num_annotated.tolist(),
                relative,
                rescaled,
            )
            title = (
                f"{'universal' if universal else 'metric'}, "
                f"{'root-relative' if relative else 'absolute'}, "
                f"bones {'rescaled' if rescaled else 'as predicted'}"
            )
            flat = {
                f"{metric} {name}": values[i]
                for metric, values in numbers.items()
                for i, name in enumerate((*SEQUENCES, "mean"))
            }
            groups.append(MetricGroup(title, f"{_TEXT}; PCK at 150 mm and AUC of 14 joints", flat))
        return groups


def _annotated(sequences: Sequence[int], people: Sequence[Person]) -> protocol.People:
    return protocol.People(
        np.array(sequences, int),
        np.array([person.frame for person in people], int),
        np.array([person.joints_mm for person in people]),
        np.array([person.joints_px for person in people]),
    )


def _predicted(path: pathlib.Path, cameras: dict[str, Camera]) -> protocol.People:
    image_paths, poses_mm = read_sorted_predictions(path)
    sequences, frames, poses_px = [], [], []
    known = {name: index for index, name in enumerate(SEQUENCES)}
    for name, pose_mm in zip(image_paths, poses_mm):
        sequence, _, file_name = name.rpartition("/")
        sequence = sequence.rpartition("/")[2]
        if sequence not in known:
            raise UserError(f"'{path}' holds '{name}', which is not an image of MuPoTS-3D.")
        sequences.append(known[sequence])
        frames.append(int(pathlib.PurePosixPath(file_name).stem.rpartition("_")[2]))
        poses_px.append(cameras[sequence].camera_to_image(pose_mm))
    return protocol.People(
        np.array(sequences, int),
        np.array(frames, int),
        poses_mm,
        np.array(poses_px).reshape(-1, 17, 2),
    )
