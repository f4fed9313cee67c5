"""What a benchmark has to tell: frames to predict, how, and how predictions are judged.

A benchmark is a frozen dataclass. Its fields are its settings, which become flags.
"""

from __future__ import annotations

import abc
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import ClassVar, Optional

import numpy as np

from metrabs.datasets.readers import reading
from metrabs.errors import UserError
from metrabs.evaluation.report import MetricGroup
from metrabs.files import atomic_path
from metrabs.geometry.camera import Camera
from metrabs.settings import setting


@dataclasses.dataclass(frozen=True)
class Frame:
    """A full image of a benchmark.

    Attributes:
        image_path: relative to the data root; names the frame in prediction files.
        camera: None where it counts as unknown.
        box_ltwh_px: `[4]`, the box of the person to predict; None: a detector finds people.
    """

    image_path: str
    camera: Optional[Camera] = None
    box_ltwh_px: Optional[np.ndarray] = None


@dataclasses.dataclass(frozen=True)
class PredictionOptions:
    """How the full-image model is called; the defaults are those of the original numbers."""

    skeleton: str = setting("", "name of the output format; default: all joints")
    num_aug: int = setting(1, "number of views per person that are averaged", at_least=1)
    antialias_factor: int = setting(2, "supersampling factor of the crops", at_least=1)
    internal_batch_size: int = setting(
        0, "number of crops given to the network at once; 0: no limit", at_least=0
    )
    detector_threshold: float = setting(
        0.2, "smallest score of a detection", at_least=0, at_most=1
    )
    detector_nms_iou_threshold: float = setting(
        0.7, "overlap above which detections are merged", at_least=0, at_most=1
    )
    detector_flip_aug: bool = setting(True, "the detector also sees the mirrored image")
    max_detections: int = setting(
        -1, "largest number of people per image, the best first; -1: all", at_least=-1
    )
    default_fov_degrees: float = setting(
        55.0, "field of view where the camera is unknown", "degrees"
    )


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Predicted people of several frames.

    Attributes:
        image_path: frame of each person `[n]`, text.
        poses3d_world_mm: `[n, joints, 3]`; the world is that of the frame's camera.
        poses2d_px: `[n, joints, 2]`, in the full image.
    """

    image_path: np.ndarray
    poses3d_world_mm: np.ndarray
    poses2d_px: np.ndarray


@dataclasses.dataclass(frozen=True)
class Benchmark(abc.ABC):
    """One benchmark; subclasses are frozen dataclasses, too.

    Attributes:
        NAME: on the command line and in names of files.
        TITLE: full name.
        OPTIONS: how the model is called.
        ENDING: of the prediction file; '' for a folder.
    """

    NAME: ClassVar[str]
    TITLE: ClassVar[str]
    OPTIONS: ClassVar[PredictionOptions]
    ENDING: ClassVar[str] = ".npz"

    @abc.abstractmethod
    def sequences(self, data_root: pathlib.Path) -> Sequence[str]:
        """Lists the units of resumption, sorted, by names that are unique relative paths."""

    @abc.abstractmethod
    def frames(self, data_root: pathlib.Path, sequence: str) -> Sequence[Frame]:
        """Lists the frames of a sequence; those with one camera are side by side."""

    @abc.abstractmethod
    def evaluate(self, data_root: pathlib.Path, path: pathlib.Path) -> Sequence[MetricGroup]:
        """Judges a prediction file or folder.

        Raises:
            UserError: predictions are missing or do not fit the truth.
        """

    def combine(
        self, data_root: pathlib.Path, parts: Sequence[tuple[str, Predictions]],
        path: pathlib.Path,
    ) -> None:
        """Writes the predictions of all sequences in the form of the release: one .npz file."""
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
        UserError: it is missing or not such a file.
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
    """Checks that there is one prediction for each frame, both sorted.

    Raises:
        UserError: frames are missing or are not among those of the benchmark.
    """
    if list(predicted) == list(expected):
        return
    missing = sorted(set(expected) - set(predicted))
    foreign = sorted(set(predicted) - set(expected))
    reason = (f"lacks {len(missing)} frames, such as '{missing[0]}'" if missing
              else f"holds {len(foreign)} frames that are not evaluated, such as '{foreign[0]}'"
              if foreign else "holds several people in some frames")
    raise UserError(
        f"'{path}' {reason}; the benchmark has {len(expected)} frames with one person each. "
        "Predict again, or give the settings that the predictions were made with."
    )
