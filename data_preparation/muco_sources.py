"""The single-person frames of MPI-INF-3DHP from which MuCo-3DHP is composed.

They are chosen as by the authors of the dataset (Mehta et al., 3DV 2018), except for the random
numbers, so that MATLAB is not needed.
"""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import cv2
import numpy as np

from data_preparation import tdhp_files
from data_preparation.common.crop_images import best_component, write_jpeg
from data_preparation.common.matching import joint_box
from data_preparation.common.sampling import AdaptivePoseSampler
from data_preparation.tdhp_full import SOURCE_INDICES
from metrabs.data.storage.images import read_image
from metrabs.datasets.mpi_inf_3dhp_train import View, calibrated_camera, read_poses
from metrabs.datasets.readers import reading
from metrabs.files import atomic_path
from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera

_MIN_MOVEMENT_MM = 175
_MAX_SHIFT = 25
_PERSON_THRESHOLD, _CHAIR_THRESHOLD = 100, 32
_BOX_FACTOR, _MASK_BOX_FACTOR = 1.05, 1.3
_NUM_BODY_JOINTS = 17  # the last ones of the 28, without toes, hands and inner spine


class Source(NamedTuple):
    """A frame of one person.

    Attributes:
        image: uint8 `[h, w, 3]` RGB.
        person_levels, chair_levels: uint8 `[h, w]`; 255 is the person, 0 is a chair.
        joints_mm: float `[28, 3]` in camera space.
        universal_mm: The same, scaled to a skeleton of standard height.
        camera: The camera, in the world of its calibration.
    """

    image: np.ndarray
    person_levels: np.ndarray
    chair_levels: np.ndarray
    joints_mm: np.ndarray
    universal_mm: np.ndarray
    camera: Camera

    @property
    def joint_box_px(self) -> np.ndarray:
        """Box `[4]` of the joints, cut at the borders of the image."""
        body = self.camera.camera_to_image(self.joints_mm[-_NUM_BODY_JOINTS:])
        frame = boxes.full(self.image.shape[1::-1])
        return boxes.intersection(joint_box(body, _BOX_FACTOR), frame)

    def person_mask(self) -> np.ndarray:
        """Returns where the person is, bool `[h, w]`, without other foreground objects."""
        box = self.joint_box_px
        is_person = best_component(self.person_levels > _PERSON_THRESHOLD, box)
        return is_person & _inside(boxes.expand(box, _MASK_BOX_FACTOR), is_person.shape)

    def chair_mask(self) -> np.ndarray:
        """Returns where the largest piece of furniture is, bool `[h, w]`."""
        is_chair = self.chair_levels < _CHAIR_THRESHOLD
        num_labels, labels, stats, _ = cv2.connectedComponentsWithStats(
            is_chair.astype(np.uint8), connectivity=4
        )
        if num_labels <= 2:
            return is_chair
        return labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))


class ExtractedView(NamedTuple):
    """The poses of the extracted frames of a view.

    Attributes:
        indices: int `[n]`, numbers of the frames in the video.
        joints_mm, universal_mm: float `[n, 28, 3]`, as in `Source`.
    """

    indices: np.ndarray
    joints_mm: np.ndarray
    universal_mm: np.ndarray


def extract(
    folder: pathlib.Path, view: View, first_frame: int, seed: int, target: pathlib.Path
) -> None:
    """Writes the frames of a view that may appear in composites, for random access.

    Args:
        folder: Folder of MPI-INF-3DHP.
        view: The view.
        first_frame: First frame to use, since people walk in before.
        seed: Random seed of the shift by up to 25 frames, which differs between views.
        target: Folder of all extracted frames.
    """
    poses = read_poses(folder, view)
    indices = _chosen_frames(folder, view, poses.joints_mm, first_frame, seed)
    videos = ("imageSequence", "FGmasks", "ChairMasks")
    written = []
    for index, image, person, chair in tdhp_files.synchronous_frames(
        folder, view, indices, videos
    ):
        image_path, mask_path = _paths(target, view, index)
        write_jpeg(image_path, image)
        masks = np.stack([person[..., 0], chair[..., 0], np.zeros_like(person[..., 0])], axis=-1)
        with atomic_path(mask_path) as path:
            cv2.imwrite(str(path), masks, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        written.append(index)
    selection = np.ix_(written, SOURCE_INDICES)
    with atomic_path(target / f"{view}.npz") as path:
        np.savez(
            path,
            indices=np.array(written, np.int64),
            joints_mm=poses.joints_mm[selection],
            universal_mm=poses.universal_mm[selection],
        )


def read_extracted(target: pathlib.Path, view: View) -> ExtractedView:
    """Reads the poses of a view that `extract` wrote."""
    path = target / f"{view}.npz"
    with reading(path, "the poses of extracted frames"), np.load(path) as file:
        return ExtractedView(*(file[name] for name in ExtractedView._fields))


def read_source(
    folder: pathlib.Path, target: pathlib.Path, view: View, extracted: ExtractedView, row: int
) -> Source:
    """Reads an extracted frame.

    Args:
        folder: Folder of MPI-INF-3DHP, for the camera.
        target: Folder of all extracted frames.
        view: The view.
        extracted: The extracted frames of the view.
        row: Position among the extracted frames.
    """
    image_path, mask_path = _paths(target, view, extracted.indices[row])
    with reading(mask_path, "a mask of an extracted frame"):
        person, chair = cv2.split(cv2.imread(str(mask_path)))[:2]
    return Source(
        read_image(str(image_path)),
        person,
        chair,
        extracted.joints_mm[row],
        extracted.universal_mm[row],
        calibrated_camera(folder, view).camera,
    )


def _chosen_frames(
    folder: pathlib.Path, view: View, joints_mm: np.ndarray, first_frame: int, seed: int
) -> list[int]:
    """Returns frames whose poses differ enough and have any joint in the image."""
    universal_mm = read_poses(folder, view._replace(camera=0)).universal_mm
    sampler = AdaptivePoseSampler(_MIN_MOVEMENT_MM)
    kept = [
        i for i in range(first_frame, len(universal_mm)) if sampler.keep_if_moved(universal_mm[i])
    ]
    rng = np.random.default_rng([seed, view.subject, view.sequence, view.camera])
    shift = rng.integers(-_MAX_SHIFT, _MAX_SHIFT, endpoint=True)
    camera, imsize_wh = calibrated_camera(folder, view)
    shifted = {int(np.clip(i + shift, 0, len(joints_mm) - 1)) for i in kept}
    return [
        i
        for i in sorted(shifted)
        if camera.is_visible(camera.camera_to_world(joints_mm[i]), imsize_wh).any()
    ]


def _paths(target: pathlib.Path, view: View, index: int) -> tuple[pathlib.Path, pathlib.Path]:
    folder = target / str(view)
    return folder / f"{index:06d}.jpg", folder / f"{index:06d}_masks.png"


def _inside(box: np.ndarray, imshape: tuple[int, ...]) -> np.ndarray:
    """Returns which pixels are in a box `[4]`, bool `[h, w]`."""
    is_inside = np.zeros(imshape[:2], bool)
    left, top = np.maximum(np.floor(box[:2]), 0).astype(int)
    right, bottom = np.ceil(box[:2] + box[2:]).astype(int)
    is_inside[top:bottom, left:right] = True
    return is_inside
