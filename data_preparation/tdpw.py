"""3DPW: SMPL joints of people filmed outdoors by a hand-held camera; used as a benchmark only.

`docs/prepare/tdpw.md` says what to download.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import Converter, Download, SplitExamples
from data_preparation.common.matching import joint_box
from metrabs.data.examples import Pose3DExample
from metrabs.datasets import three_dpw
from metrabs.geometry.camera import Camera
from metrabs.settings import setting
from metrabs.skeletons import JointInfo

_JOINTS = JointInfo(
    "lhip,rhip,bell,lkne,rkne,spin,lank,rank,thor,ltoe,rtoe,neck,lcla,rcla,head,lsho,rsho,lelb,"
    "relb,lwri,rwri,lhan,rhan,pelv",
    "head-neck-thor-lcla-lsho-lelb-lwri-lhan,thor-spin-bell-pelv-lhip-lkne-lank-ltoe",
)
_PELVIS_LAST = [*range(1, 24), 0]  # it is first in SMPL
_BOX_FACTOR = 1.15


class Sequence3dpw(NamedTuple):
    """A video of one of the official splits."""

    split: str
    name: str

    def __str__(self) -> str:
        return f"{self.split}/{self.name}"


@dataclasses.dataclass(frozen=True)
class ThreeDpw(Converter):
    """Converts 3DPW; its field is its setting."""

    NAME = "tdpw"
    TITLE = "3D Poses in the Wild"
    FOLDER = three_dpw.FOLDER

    splits: tuple[str, ...] = setting(
        three_dpw.SPLITS,
        "official splits to convert; all of them become the test split",
        selects=True,
    )

    def downloads(self) -> Sequence[Download]:
        """Returns the images and the annotation files of each split."""
        site = "from virtualhumans.mpi-inf.mpg.de/3DPW into '3dpw'"
        return [
            Download(
                "3dpw/imageFiles/*/image_*.jpg", f"download and unpack imageFiles.zip {site}"
            ),
            *(
                Download(
                    f"3dpw/sequenceFiles/{split}/*.pkl",
                    f"download and unpack sequenceFiles.zip {site}",
                )
                for split in self.splits
            ),
        ]

    @property
    def crop_folder(self) -> str:
        """Folder of the crops, with the original name."""
        return "tdpw_downscaled"

    def joint_info(self) -> JointInfo:
        """Returns SMPL's 24 joints, pelvis last."""
        return _JOINTS

    def sequences(self, data_root: pathlib.Path) -> list[Sequence3dpw]:
        """Lists the videos."""
        return [
            Sequence3dpw(split, name)
            for split in self.splits
            for name in three_dpw.list_videos(data_root / self.FOLDER, split)
        ]

    def examples(self, sequence: Sequence3dpw, context: ConversionContext) -> SplitExamples:
        """Yields all people in all frames where the camera and the person are known."""
        video = three_dpw.read_video(context.folder, sequence.split, sequence.name)
        joints_cam_mm, is_visible = video.joints_cam_mm[:, :, _PELVIS_LAST], video.is_visible
        # 3DPW's world has no reliable vertical, so the camera is its own world.
        camera = Camera(intrinsic_matrix=video.intrinsic_matrix, world_up=(0, -1, 0))
        num_people, num_frames = is_visible.shape
        for frame in range(num_frames):
            for person in range(num_people):
                name = f"imageFiles/{sequence.name}/image_{frame:05d}"
                if not video.has_camera_pose[person, frame]:
                    context.skip("camera pose unknown", name)
                elif not is_visible[person, frame]:
                    context.skip("person not visible", name)
                else:
                    joints_mm = joints_cam_mm[person, frame]
                    example = Pose3DExample(
                        image_path=f"{self.FOLDER}/{name}.jpg",
                        world_coords=joints_mm.astype(np.float32),
                        camera=camera,
                        bbox=joint_box(camera.camera_to_image(joints_mm), _BOX_FACTOR),
                    )
                    crop_path = f"{self.crop_folder}/{name}_{person:03d}.jpg"
                    cropped = context.crop(example, crop_path)
                    if cropped is not None:
                        yield "test", cropped
