"""Files of MPI-INF-3DHP, which several converters read: annotations, cameras, videos."""

from __future__ import annotations

import functools
import itertools
import pathlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_preparation.common.converter import Download
from data_preparation.common.crop_geometry import CropOptions
from data_preparation.common.matching import hull_with_best_detection, joint_box
from data_preparation.common.video import read_frames
from metrabs.datasets.readers import read_mat, reading
from metrabs.errors import UserError
from metrabs.geometry.camera import Camera

FOLDER = "3dhp"
SITE = "gvv.mpi-inf.mpg.de/3dhp-dataset"
# The green screen's mask: whatever is brighter is a person.
# Deviation: a slip of units makes the release take coding noise for people, too.
MASK_THRESHOLD = 32
CROP_OPTIONS = CropOptions(adjust_3dhp_colors=True)
_BOX_FACTOR = 1.05
_NUM_SOURCE_JOINTS = 28
# Frames that can be used, by subject (from 1) and sequence (from 1), of the dataset's authors.
_NUM_FRAMES = {
    1: (6416, 12430), 2: (6502, 6081), 3: (12488, 12283), 4: (6171, 6675), 5: (12820, 12312),
    6: (6188, 6145), 7: (6239, 6320), 8: (6468, 6054),
}
_SHORT_VIDEOS = {(6, 2, 2): 3911}
# Image and mask videos differ in length by a few frames.
_TOLERATED_SHORTAGE = 16


class View(NamedTuple):
    """What one camera saw of one sequence.

    Attributes:
        phase: 'train' or 'valid'.
        subject, sequence: numbers from 1.
        camera: number from 0.
    """

    phase: str
    subject: int
    sequence: int
    camera: int

    @property
    def folder(self) -> str:
        """Folder of the sequence in that of the dataset."""
        return f"S{self.subject}/Seq{self.sequence}"

    def __str__(self) -> str:
        return f"{self.folder}/video_{self.camera}"


class CalibratedCamera(NamedTuple):
    """A camera and the size of its images."""

    camera: Camera
    imsize_wh: tuple[int, int]


class Poses(NamedTuple):
    """Annotations of a view, [n, 28, 3] mm in the frame of its camera.

    Attributes:
        joints_mm: metric.
        universal_mm: of a skeleton of standard height.
    """

    joints_mm: np.ndarray
    universal_mm: np.ndarray


def training_downloads(
    subjects: Collection[int], sequences: Collection[int], cameras: Collection[int]
) -> list[Download]:
    """Returns what the given views need: annotations, cameras, videos and masks."""
    advice = (f"set the subjects, download_masks=1 and the camera groups in conf.ig of {SITE}, "
              "run its get_dataset.sh and unpack what it fetched")
    names = ["annot.mat", "camera.calibration"] + [
        f"{kind}/video_{camera}.avi" for camera in cameras
        for kind in ("imageSequence", "FGmasks")
    ]
    return [Download(f"{FOLDER}/S{subject}/Seq{sequence}/{name}", advice)
            for subject in subjects for sequence in sequences for name in names]


def read_poses(folder: pathlib.Path, view: View) -> Poses:
    """Reads the poses of all frames that can be used.

    Args:
        folder: of the dataset.
        view: which camera of which sequence.
    """
    path = folder / view.folder / "annot.mat"
    cells = _read_annotations(path)
    limit = _SHORT_VIDEOS.get((view.subject, view.sequence, view.camera),
                              _NUM_FRAMES[view.subject][view.sequence - 1])
    with reading(path, "annotations of 14 cameras and 28 joints"):
        poses = [
            np.asarray(cell[view.camera], np.float64).reshape(-1, _NUM_SOURCE_JOINTS, 3)[:limit]
            for cell in cells
        ]
    return Poses(*poses)


def calibrated_camera(folder: pathlib.Path, view: View) -> CalibratedCamera:
    """Returns the camera of a view; do not change it.

    Args:
        folder: of the dataset.
        view: which camera of which sequence.

    Raises:
        UserError: its calibration is missing or damaged.
    """
    path = folder / view.folder / "camera.calibration"
    cameras = read_calibration(path)
    if view.camera >= len(cameras):
        raise UserError(f"File '{path}' ends after {len(cameras)} cameras, before camera "
                        f"{view.camera} (from 0). Download it again.")
    return cameras[view.camera]


@functools.lru_cache(maxsize=4)
def read_calibration(path: pathlib.Path) -> list[CalibratedCamera]:
    """Reads a `camera.calibration` file; do not change the cameras.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    cameras = []
    with reading(path, "a Skeletool camera calibration"):
        values: dict[str, list[float]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            keyword, *words = line.split() or [""]
            if keyword in ("size", "intrinsic", "extrinsic"):
                values[keyword] = [float(word) for word in words]
            if keyword == "extrinsic":  # the last one of a camera
                cameras.append(_camera_of_block(**values))
        if not cameras:
            raise ValueError("it lists no camera")
    return cameras


def synchronous_frames(
    folder: pathlib.Path, view: View, indices: Collection[int],
    kinds: Sequence[str] = ("imageSequence", "FGmasks"),
) -> Iterator[tuple[Any, ...]]:
    """Yields chosen frames of several videos of a view.

    Args:
        folder: of the dataset.
        view: which camera of which sequence.
        indices: of the frames.
        kinds: folders of the videos. In masks ('FGmasks', 'ChairMasks') red is what counts.

    Yields:
        The index, then the frame of each video, uint8 [h, w, 3] RGB.
    """
    streams = [
        read_frames(folder / view.folder / kind / f"video_{view.camera}.avi", indices,
                    tolerated_shortage=_TOLERATED_SHORTAGE)
        for kind in kinds
    ]
    # All are read to the end, where damage shows.
    for frames in itertools.zip_longest(*streams):
        if all(frame is not None for frame in frames):
            yield (frames[0][0], *(image for _, image in frames))


def person_box(joints_mm: np.ndarray, camera: Camera, detections: np.ndarray) -> np.ndarray:
    """Returns the box [4] around joints [J, 3], world mm, and the detection of the same person."""
    box = joint_box(camera.world_to_image(joints_mm), _BOX_FACTOR)
    return hull_with_best_detection(box, detections)


def _camera_of_block(
    size: list[float], intrinsic: list[float], extrinsic: list[float]
) -> CalibratedCamera:
    camera = Camera(
        intrinsic_matrix=np.reshape(intrinsic, (4, 4))[:3, :3],
        extrinsic_matrix=np.reshape(extrinsic, (4, 4)),
        world_up=(0, 1, 0),
    )
    return CalibratedCamera(camera, (int(size[0]), int(size[1])))


@functools.lru_cache(maxsize=1)  # they are large
def _read_annotations(path: pathlib.Path) -> list[np.ndarray]:
    return read_mat(path, "annot3", "univ_annot3")
