"""The interface of benchmarks: frames to predict, prediction settings, and the evaluation.

A benchmark is a frozen dataclass. Its fields are its settings, which become flags.
"""

from __future__ import annotations

import abc
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar, Optional

import numpy as np

from metrabs.datasets.readers import reading
from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.report import MetricGroup
from metrabs.files import atomic_path
from metrabs.geometry.camera import Camera
from metrabs.settings import check_settings


@dataclasses.dataclass(frozen=True)
class Frame:
    """A full image of a benchmark.

    Attributes:
        image_path: Path relative to the data root; identifies the frame in prediction files.
        camera: Camera of the image; None: it counts as unknown.
        box_ltwh_px: `[4]`, the box of the person to predict; None: a detector finds people.
    """

    image_path: str
    camera: Optional[Camera] = None
    box_ltwh_px: Optional[np.ndarray] = None


# Those of the original evaluation scripts.
ORIGINAL_SETTINGS = PredictionSettings(
    num_aug=1, antialias_factor=2, internal_batch_size=0, detector_threshold=0.2,
    detector_flip_aug=True, suppress_implausible_poses=False,
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predicted people of several frames.

    Attributes:
        image_path: Frame of each person `[n]`, strings.
        poses3d_world_mm: `[n, joints, 3]`; the world is that of the frame's camera.
        poses2d_px: `[n, joints, 2]`, in the full image.
    """

    image_path: np.ndarray
    poses3d_world_mm: np.ndarray
    poses2d_px: np.ndarray


@dataclasses.dataclass(frozen=True)
class Benchmark(abc.ABC):
    """One benchmark; subclasses are also frozen dataclasses.

    Attributes:
        NAME: Name on the command line and in file names.
        TITLE: Full name.
        SETTINGS: Defaults of the prediction settings.
        NOT_IN_PREDICTIONS: Names of settings that leave the predictions of a frame as they are:
            those that select frames, and those of the evaluation.
        ENDING: Suffix of the prediction file; '' for a folder.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    SETTINGS: ClassVar[PredictionSettings]
    NOT_IN_PREDICTIONS: ClassVar[tuple[str, ...]] = ()
    ENDING: ClassVar[str] = ".npz"

    def __post_init__(self) -> None:
        check_settings(self)

    def prediction_record(self) -> dict[str, Any]:
        """Returns the name of the benchmark and its settings that change predictions."""
        settings = dataclasses.asdict(self)
        return {
            "benchmark": self.NAME,
            **{k: v for k, v in settings.items() if k not in self.NOT_IN_PREDICTIONS},
        }

    def stem_of(self, path: pathlib.Path) -> str:
        """Returns the name of a prediction file or folder without its ending."""
        return path.name[: -len(self.ENDING)] if self.ENDING else path.name

    @abc.abstractmethod
    def sequences(self, data_root: pathlib.Path) -> Sequence[str]:
        """Lists the sequences, sorted, by unique relative paths; each is predicted as a whole."""

    @abc.abstractmethod
    def frames(self, data_root: pathlib.Path, sequence: str) -> Sequence[Frame]:
        """Lists the frames of a sequence; those with the same camera are consecutive."""

    @abc.abstractmethod
    def evaluate(self, data_root: pathlib.Path, path: pathlib.Path) -> Sequence[MetricGroup]:
        """Evaluates a prediction file or folder.

        Raises:
            UserError: predictions are missing or do not fit the truth.
        """

    def combine(
        self, data_root: pathlib.Path, parts: Sequence[tuple[str, Predictions]], path: pathlib.Path
    ) -> None:
        """Writes the predictions of all sequences in the original format: one .npz file."""
        with atomic_path(path) as temporary, open(temporary, "wb") as file:
            np.savez(
                file,
                image_path=np.concatenate([part.image_path for _, part in parts]),
                coords3d_pred_world=np.concatenate([p.poses3d_world_mm for _, p in parts]),
            )


def read_sorted_predictions(path: pathlib.Path) -> tuple[list[str], np.ndarray]:
    """Reads an .npz file of predictions, sorted by image path.

    Returns:
        Image paths and poses `[n, joints, 3]` in world mm.

    Raises:
        UserError: the file is missing or has other content.
    """
    with reading(path, "a prediction file with image_path and coords3d_pred_world"):
        with np.load(path) as file:
            image_paths = file["image_path"].astype(str)
            poses3d_mm = file["coords3d_pred_world"].astype(np.float64)
        if poses3d_mm.shape[:1] != image_paths.shape or poses3d_mm.ndim != 3:
            raise ValueError(f"{image_paths.shape} paths for poses of shape {poses3d_mm.shape}")
    order = np.argsort(image_paths, kind="stable")
    return image_paths[order].tolist(), poses3d_mm[order]


def check_same_frames(
    predicted: Sequence[str], expected: Sequence[str], path: pathlib.Path
) -> None:
    """Checks that there is one prediction for each frame.

    Args:
        predicted: Image paths of the predicted people, sorted.
        expected: Image paths of the frames of the benchmark, sorted.
        path: Prediction file, for the error message.

    Raises:
        UserError: frames are missing, or are not part of the benchmark.
    """
    if list(predicted) == list(expected):
        return
    missing = sorted(set(expected) - set(predicted))
    others = sorted(set(predicted) - set(expected))
    reason = (
        f"lacks {len(missing)} frames, such as '{missing[0]}'"
        if missing
        else f"holds {len(others)} frames that are not evaluated, such as '{others[0]}'"
        if others
        else "holds several people in some frames"
    )
    raise UserError(
        f"'{path}' {reason}; the benchmark has {len(expected)} frames with one person each. "
        "Predict again, or give the settings with which the predictions were made."
    )
