"""3DPW: SMPL joints of people filmed outdoors by a hand-held camera; a benchmark only.

`docs/prepare/tdpw.md` tells what to download.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from data_preparation.common.converter import Converter, Download, option
from data_preparation.common.matching import joint_box
from data_preparation.common.workbench import Workbench
from metrabs.data.examples import Example, Pose3DExample
from metrabs.datasets.readers import read_pickle, reading
from metrabs.geometry.camera import Camera
from metrabs.skeletons import JointInfo

_JOINTS = JointInfo(
    "lhip,rhip,bell,lkne,rkne,spin,lank,rank,thor,ltoe,rtoe,neck,lcla,rcla,head,lsho,rsho,lelb,"
    "relb,lwri,rwri,lhan,rhan,pelv",
    "head-neck-thor-lcla-lsho-lelb-lwri-lhan,thor-spin-bell-pelv-lhip-lkne-lank-ltoe",
)
_PELVIS_LAST = [*range(1, 24), 0]  # SMPL has it first
_BOX_FACTOR = 1.15
_VARIABLES = ("jointPositions", "poses2d", "campose_valid", "cam_poses", "cam_intrinsics")


class Sequence3dpw(NamedTuple):
    """A video of one of the official splits."""

    split: str
    name: str

    def __str__(self) -> str:
        return f"{self.split}/{self.name}"


@dataclasses.dataclass(frozen=True)
class ThreeDpw(Converter):
    """Converts 3DPW; see the fields for its settings."""

    NAME = "tdpw"
    TITLE = "3D Poses in the Wild"
    FOLDER = "3dpw"

    splits: tuple[str, ...] = option(
        ("train", "validation", "test"),
        "official splits to convert; all of them become the test phase", True)

    def downloads(self) -> Sequence[Download]:
        """Returns the images and the annotation files of each split."""
        site = "from virtualhumans.mpi-inf.mpg.de/3DPW into '3dpw'"
        return [
            Download("3dpw/imageFiles/*/image_*.jpg",
                     f"download and unpack imageFiles.zip {site}"),
            *(Download(f"3dpw/sequenceFiles/{split}/*.pkl",
                       f"download and unpack sequenceFiles.zip {site}") for split in self.splits),
        ]

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, named as in the release."""
        return "tdpw_downscaled"

    def joint_info(self) -> JointInfo:
        """Returns SMPL's 24 joints, pelvis last."""
        return _JOINTS

    def sequences(self, data_root: pathlib.Path) -> list[Sequence3dpw]:
        """Lists the videos."""
        folder = data_root / "3dpw" / "sequenceFiles"
        return [Sequence3dpw(split, path.stem) for split in self.splits
                for path in sorted((folder / split).glob("*.pkl"))]

    def examples(
        self, sequence: Sequence3dpw, bench: Workbench
    ) -> Iterator[tuple[str, Example]]:
        """Yields all people in all frames where the camera and the person are known."""
        content = read_sequence(
            bench.folder / "sequenceFiles" / sequence.split / f"{sequence.name}.pkl")
        num_people, num_frames = content["campose_valid"].shape
        for frame in range(num_frames):
            for person in range(num_people):
                name = f"imageFiles/{sequence.name}/image_{frame:05d}"
                if not content["campose_valid"][person, frame]:
                    bench.skip("camera pose unknown", name)
                elif not content["poses2d"][person, frame].any():
                    bench.skip("person not visible", name)
                else:
                    example = _example(content, person, frame, f"3dpw/{name}.jpg")
                    crop_path = f"{self.crop_folder}/{name}_{person:03d}.jpg"
                    cropped = bench.crop(example, crop_path)
                    if cropped is not None:
                        yield "test", cropped


def read_sequence(path: pathlib.Path) -> dict[str, Any]:
    """Returns the arrays of a sequence: [person, frame, ...] and [frame, ...]."""
    content = read_pickle(path)
    with reading(path, f"a 3DPW sequence with {', '.join(_VARIABLES)}"):
        arrays = {name: np.asarray(content[name], np.float64) for name in _VARIABLES}
        num_people, num_frames = arrays["campose_valid"].shape
        joints_m = arrays.pop("jointPositions").reshape(num_people, num_frames, 24, 3)
        arrays["joints_world_mm"] = joints_m[:, :, _PELVIS_LAST] * 1000
    return arrays


def _example(
    content: dict[str, Any], person: int, frame: int, image_path: str
) -> Pose3DExample:
    """Returns a person in a full image, in the frame of the camera.

    3DPW's world has no reliable vertical, so the camera is its own world.
    """
    extrinsics = content["cam_poses"][frame]
    joints_mm = content["joints_world_mm"][person, frame] @ extrinsics[:3, :3].T
    joints_mm += extrinsics[:3, 3] * 1000
    camera = Camera(intrinsic_matrix=content["cam_intrinsics"], world_up=(0, -1, 0))
    return Pose3DExample(
        image_path=image_path, world_coords=joints_mm.astype(np.float32),
        bbox=joint_box(camera.camera_to_image(joints_mm), _BOX_FACTOR), camera=camera,
    )
