"""Raw files of MPI-INF-3DHP's training set: annotations and cameras of its studio."""

from __future__ import annotations

import functools
import pathlib
from typing import NamedTuple

import numpy as np

from metrabs.datasets.readers import read_mat, reading
from metrabs.errors import UserError
from metrabs.geometry.camera import Camera

_NUM_SOURCE_JOINTS = 28
# Numbers of usable frames by subject (from 1) and sequence (from 1), given by the authors of the
# dataset.
_NUM_FRAMES = {
    1: (6416, 12430),
    2: (6502, 6081),
    3: (12488, 12283),
    4: (6171, 6675),
    5: (12820, 12312),
    6: (6188, 6145),
    7: (6239, 6320),
    8: (6468, 6054),
}
_SHORT_VIDEOS = {(6, 2, 2): 3911}


class View(NamedTuple):
    """What one camera saw of one sequence.

    Attributes:
        subject: Number of the subject, from 1.
        sequence: Number of the sequence, from 1.
        camera: Number of the camera, from 0.
    """

    subject: int
    sequence: int
    camera: int

    @property
    def folder(self) -> str:
        """Folder of the sequence, relative to that of the dataset."""
        return f"S{self.subject}/Seq{self.sequence}"

    def __str__(self) -> str:
        return f"{self.folder}/video_{self.camera}"


class CalibratedCamera(NamedTuple):
    """A camera and the size of its images."""

    camera: Camera
    imsize_wh: tuple[int, int]


class Poses(NamedTuple):
    """Annotated poses of a view, `[n, 28, 3]` in camera space, mm.

    Attributes:
        joints_mm: Metric poses.
        universal_mm: Poses scaled to a skeleton of standard height.
    """

    joints_mm: np.ndarray
    universal_mm: np.ndarray


def read_poses(folder: pathlib.Path, view: View) -> Poses:
    """Reads the poses of all usable frames.

    Args:
        folder: Folder of the dataset.
        view: The view.
    """
    path = folder / view.folder / "annot.mat"
    cells = _read_annotations(path)
    limit = _SHORT_VIDEOS.get(
        (view.subject, view.sequence, view.camera), _NUM_FRAMES[view.subject][view.sequence - 1]
    )
    with reading(path, "annotations of 14 cameras and 28 joints"):
        poses = [
            np.asarray(cell[view.camera], np.float64).reshape(-1, _NUM_SOURCE_JOINTS, 3)[:limit]
            for cell in cells
        ]
    return Poses(*poses)


def calibrated_camera(folder: pathlib.Path, view: View) -> CalibratedCamera:
    """Returns the camera of a view; do not change it.

    Args:
        folder: Folder of the dataset.
        view: The view.

    Raises:
        UserError: its calibration is missing or damaged.
    """
    path = folder / view.folder / "camera.calibration"
    cameras = read_calibration(path)
    if view.camera >= len(cameras):
        raise UserError(
            f"File '{path}' ends after {len(cameras)} cameras, before camera "
            f"{view.camera} (from 0). Download it again."
        )
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
