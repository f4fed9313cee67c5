"""3DPW: all sequences; a detector finds people, which are associated with annotated ones."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import pickle
from collections.abc import Sequence
from typing import Any, ClassVar, Optional

import cv2
import numpy as np

from metrabs.data.storage.masks import decode_mask
from metrabs.datasets import three_dpw
from metrabs.datasets.readers import read_pickle, reading
from metrabs.errors import UserError
from metrabs.estimator.client import PredictionSettings
from metrabs.evaluation.benchmarks.association import scores_by_joints, scores_by_masks
from metrabs.evaluation.benchmarks.base import ORIGINAL_SETTINGS, Benchmark, Frame, Predictions
from metrabs.evaluation.metrics import wacv_metrics
from metrabs.evaluation.protocols import three_dpw as protocol
from metrabs.evaluation.report import MetricGroup
from metrabs.geometry.assignment import assign
from metrabs.geometry.camera import Camera
from metrabs.settings import setting
from metrabs.skeletons import tables

_SMOOTHING = ("none", "causal", "acausal")


@dataclasses.dataclass(frozen=True)
class ThreeDpw(Benchmark):
    """The numbers of 3DPW for predicted joints, by convention over all its sequences."""

    NAME: ClassVar[str] = "tdpw"
    TITLE: ClassVar[str] = "3D Poses in the Wild"
    SETTINGS: ClassVar[PredictionSettings] = dataclasses.replace(
        ORIGINAL_SETTINGS, skeleton="smpl_24", num_aug=5, internal_batch_size=64
    )
    NOT_IN_PREDICTIONS: ClassVar[tuple[str, ...]] = ("testset_only", "smoothing")
    ENDING: ClassVar[str] = ""

    gtassoc: bool = setting(
        False,
        "associate people by the given 2D poses instead of tracked masks in 3dpw-more/stcn-pred",
    )
    real_intrinsics: bool = setting(False, "treat the camera as known")
    testset_only: bool = setting(False, "evaluate only the official test split")
    smoothing: str = setting("none", "smoothing of tracks over time", choices=_SMOOTHING)

    def sequences(self, data_root: pathlib.Path) -> list[str]:
        """Lists 'split/name'."""
        splits = ("test",) if self.testset_only else three_dpw.SPLITS
        return [
            f"{split}/{name}"
            for split in splits
            for name in three_dpw.list_videos(data_root / three_dpw.FOLDER, split)
        ]

    def frames(self, data_root: pathlib.Path, sequence: str) -> list[Frame]:
        """Lists all images of a sequence."""
        name = sequence.rpartition("/")[2]
        folder = data_root / "3dpw/imageFiles" / name
        paths = sorted(path.name for path in folder.glob("image_*.jpg"))
        if not paths:
            raise UserError(f"There are no images in '{folder}'. Unpack imageFiles.zip again.")
        camera = None
        if self.real_intrinsics:
            intrinsics = _read(data_root, sequence).intrinsic_matrix
            camera = Camera(intrinsic_matrix=intrinsics, world_up=(0, -1, 0))
        return [Frame(f"3dpw/imageFiles/{name}/{path}", camera) for path in paths]

    def combine(
        self, data_root: pathlib.Path, parts: Sequence[tuple[str, Predictions]], path: pathlib.Path
    ) -> None:
        """Writes a pickle of tracks for each sequence, in the format of the benchmark.

        Each holds `jointPositions`, metres in camera space [people, frames, 24, 3].
        """
        for sequence, predictions in parts:
            tracks_m = self._tracks(data_root, sequence, predictions) / 1000
            target = path / f"{sequence}.pkl"
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.with_suffix(".tmp")
            temporary.write_bytes(pickle.dumps({"jointPositions": tracks_m}, protocol=4))
            temporary.replace(target)

    def evaluate(self, data_root: pathlib.Path, path: pathlib.Path) -> Sequence[MetricGroup]:
        """Evaluates a folder of tracks."""
        poses = [
            self._poses_of_sequence(data_root, path, name) for name in self.sequences(data_root)
        ]
        pred_mm, true_mm = (np.concatenate(arrays) for arrays in zip(*poses))
        is_found = np.isfinite(pred_mm).all(axis=(1, 2))
        if not is_found.all():
            raise UserError(
                f"'{path}' has no pose for {np.sum(~is_found)} of {len(is_found)} people and "
                "frames, since a person was not found in any frame of a sequence. Use a lower "
                "--detector_threshold."
            )
        text = (
            f"{'test split' if self.testset_only else 'all sequences'}, 24 SMPL joints "
            f"relative to the pelvis, smoothing: {self.smoothing}"
        )
        return [
            MetricGroup("WACV 2023", text, wacv_metrics(pred_mm, true_mm, protocol.ROOT_JOINT)),
            MetricGroup(
                "Official",
                f"{text}; PCK and NCPS of the major joints",
                protocol.classic_numbers(pred_mm, true_mm),
            ),
            MetricGroup(
                "Worst joint",
                f"{text}; major joints after Procrustes alignment",
                protocol.ncps_by_threshold(pred_mm, true_mm),
            ),
            MetricGroup(
                "PCK", f"{text}; major joints", protocol.pck_by_threshold(pred_mm, true_mm)
            ),
        ]

    def _poses_of_sequence(
        self, data_root: pathlib.Path, path: pathlib.Path, sequence: str
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns predicted and true poses [n, 24, 3] in camera space, mm."""
        file = path / f"{sequence}.pkl"
        video = _read(data_root, sequence)
        true_mm, is_valid = video.joints_cam_mm, video.has_camera_pose & video.is_visible
        with reading(file, "a pickle of jointPositions [people, frames, 24, 3]"):
            tracks_mm = np.asarray(read_pickle(file)["jointPositions"], np.float64) * 1000
            if tracks_mm.shape != true_mm.shape:
                raise ValueError(f"{tracks_mm.shape} instead of {true_mm.shape}")
        if self.smoothing != "none":
            tracks_mm = protocol.smooth_tracks(tracks_mm, self.smoothing == "causal")
        return tracks_mm[is_valid], true_mm[is_valid]

    def _tracks(
        self, data_root: pathlib.Path, sequence: str, predictions: Predictions
    ) -> np.ndarray:
        """Associates predictions with annotated people: [people, frames, 24, 3], mm."""
        given_px = np.swapaxes(_read(data_root, sequence).poses2d_px, 2, 3)
        tracks = np.full([*given_px.shape[:2], 24, 3], np.nan)
        previous: list[Optional[np.ndarray]] = [None] * len(tracks)
        of_frame = collections.defaultdict(list)
        for index, image_path in enumerate(predictions.image_path.tolist()):
            of_frame[image_path].append(index)
        frames = self.frames(data_root, sequence)[: tracks.shape[1]]
        masks = None if self.gtassoc else _mask_frames(data_root, sequence, frames)
        for number, frame in enumerate(frames):
            indices = of_frame[frame.image_path]
            poses_px = predictions.poses2d_px[indices]
            if masks is None:
                scores = scores_by_joints(given_px[:, number], previous, poses_px)
            else:
                scores = masks.scores(number, poses_px)
            for person, j in assign(scores):
                if person < len(tracks):
                    tracks[person, number] = predictions.poses3d_world_mm[indices[j]]
                    previous[person] = poses_px[j]
        return _fill_gaps(tracks)


@dataclasses.dataclass(frozen=True)
class _MaskFrames:
    """Encoded masks of the tracked people of each frame."""

    encoded: Sequence[Sequence[Any]]
    image_size_wh: tuple[int, int]

    def scores(self, number: int, poses_px: np.ndarray) -> np.ndarray:
        """Compares the masks of a frame with predictions."""
        masks = [decode_mask(mask) for mask in self.encoded[number]]
        edges = tables.export_skeletons(tables.merged_joint_info("huge8").names)["smpl_24"].edges
        return scores_by_masks(masks, poses_px, self.image_size_wh, edges)


def _mask_frames(data_root: pathlib.Path, sequence: str, frames: Sequence[Frame]) -> _MaskFrames:
    path = data_root / "3dpw-more/stcn-pred" / f"{sequence.rpartition('/')[2]}.pkl"
    if not path.exists():
        raise UserError(
            f"The tracked masks '{path}', by which people are associated, do not exist. Provide "
            "them (a pickled list with a list of COCO run-length masks for each frame), or give "
            "--gtassoc to associate people by the given 2D poses."
        )
    encoded = read_pickle(path)
    if len(encoded) < len(frames):
        raise UserError(f"'{path}' has masks of {len(encoded)} instead of {len(frames)} frames.")
    height, width = cv2.imread(str(data_root / frames[0].image_path)).shape[:2]
    return _MaskFrames(encoded, (width, height))


def _fill_gaps(tracks: np.ndarray) -> np.ndarray:
    """Repeats the last pose where a person was not found.

    Deviation: frames before a person is first found get the first pose found. In the original
    implementation they are NaN, which makes all its numbers NaN.
    """
    last = tracks.shape[1] - 1
    for number, known in [
        *((i, i - 1) for i in range(1, last + 1)),
        *((i, i + 1) for i in reversed(range(last))),
    ]:
        is_missing = np.isnan(tracks[:, number]).any(axis=(1, 2))
        tracks[is_missing, number] = tracks[is_missing, known]
    return tracks


def _read(data_root: pathlib.Path, sequence: str) -> three_dpw.AnnotatedVideo:
    split, _, name = sequence.partition("/")
    return three_dpw.read_video(data_root / three_dpw.FOLDER, split, name)
