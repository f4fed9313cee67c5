"""Calibrated studios: several synchronized cameras that record people with known 3D joints.

Listing the views of a studio, choosing frames, and turning the frames of a view into crops.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

import numpy as np

from data_preparation.common.context import ConversionContext
from data_preparation.common.converter import SplitSequence
from data_preparation.common.crop_geometry import DEFAULT_CROP, CropOptions
from data_preparation.common.matching import joint_box
from data_preparation.common.sampling import AdaptivePoseSampler
from metrabs.data.examples import Example, Pose3DExample
from metrabs.errors import UserError
from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera

# From the boxes [p, 4] of the joints and the detections [n, 5] in an image to the boxes of the
# people, None for those to leave out. See `matching.detected_boxes`.
BoxRule = Callable[[Sequence[np.ndarray], np.ndarray], Sequence[Optional[np.ndarray]]]


class PosedPerson(NamedTuple):
    """A person in one frame.

    Attributes:
        name: Distinguishes the people of a frame in the names of crops, such as '_0'; '' where
            there is one person only.
        joints_mm: `[J, 3]` in world space.
        box_px: Annotated box `[4]`; None: the box around the joints is used.
        details: Other attributes of the example, such as `activity_name`.
    """

    name: str
    joints_mm: np.ndarray
    box_px: Optional[np.ndarray] = None
    details: Mapping[str, Any] = {}


class StudioView(NamedTuple):
    """A video of a calibrated camera.

    Attributes:
        name: Path without extension, names the folder of the crops.
        video: Path relative to the dataset's folder, names the frames in detection files.
        camera: The camera, in the world of the poses.
    """

    name: str
    video: str
    camera: Camera


def list_views(
    title: str,
    make_view: Callable[..., Any],
    values_by_split: Mapping[str, Collection[Any]],
    *others: Collection[Any],
) -> list[SplitSequence]:
    """Lists the sequences of a studio: all combinations of subjects, cameras and so on.

    Args:
        title: Title of the dataset, for the error.
        make_view: Makes a sequence from one value of each kind, such as a NamedTuple's class.
        values_by_split: The values that differ between splits, usually subjects: split -> values.
        others: The values of each other kind, such as activities and cameras.

    Raises:
        UserError: a value is in several splits.
    """
    values = [value for of_split in values_by_split.values() for value in of_split]
    if len(set(values)) < len(values):
        given = {split: list(of_split) for split, of_split in values_by_split.items()}
        raise UserError(f"{title}: nothing can be in two splits or twice in one, got {given}.")
    return [
        SplitSequence(split, make_view(*combination))
        for split, of_split in values_by_split.items()
        for combination in itertools.product(of_split, *others)
    ]


def choose_frames(
    poses_mm: np.ndarray,
    sampler: AdaptivePoseSampler,
    indices: Optional[Iterable[int]] = None,
    is_usable: Optional[np.ndarray] = None,
) -> list[int]:
    """Returns the frames with poses that differ enough.

    Args:
        poses_mm: `[n, J, 3]`.
        sampler: A new sampler.
        indices: Frames to choose from, in order; default: all.
        is_usable: bool `[n]`, whether a frame counts at all; the sampler does not see the others.
    """
    return [
        i
        for i in (range(len(poses_mm)) if indices is None else indices)
        if (is_usable is None or is_usable[i]) and sampler.keep_if_moved(poses_mm[i])
    ]


def crop_people(
    context: ConversionContext,
    view: StudioView,
    frames: Iterable[tuple[int, np.ndarray]],
    people: Mapping[int, Sequence[PosedPerson]],
    crop_folder: str,
    box_factor: float,
    box_rule: Optional[BoxRule] = None,
    options: CropOptions = DEFAULT_CROP,
) -> Iterator[Example]:
    """Crops the people in the frames of a view.

    The crop of a person is `<crop_folder>/<view.name>/<frame, 6 digits><person.name>.jpg`.

    Args:
        context: Context of the conversion.
        view: The view.
        frames: Number and image (uint8 `[h, w, 3]` RGB) of each frame, such as from
            `video.read_frames`.
        people: The people by number of the frame.
        crop_folder: Folder of the crops, relative to the data root.
        box_factor: Size of the boxes, relative to annotated ones or those of the projected joints.
        box_rule: Combines the boxes with person detections; default: the boxes as they are,
            without detections.
        options: How the crops of the dataset are made.

    Yields:
        The examples of the crops.
    """
    for index, image in frames:
        people_here = people.get(index, ())
        key = f"{view.video}:{index}"
        given_px = [_box_of(person, view.camera, box_factor) for person in people_here]
        boxes_px: Sequence[Optional[np.ndarray]] = given_px
        if box_rule is not None and people_here:
            boxes_px = box_rule(given_px, context.detect(key, image))
        for person, box_px in zip(people_here, boxes_px):
            if box_px is None:
                context.skip("no detection of an annotated person", f"{key}{person.name}")
                continue
            example = Pose3DExample(
                image_path=f"{view.name}/{index:06d}.jpg",
                world_coords=person.joints_mm,
                bbox=box_px,
                camera=view.camera,
                image=image,
                **person.details,
            )
            crop_path = f"{crop_folder}/{view.name}/{index:06d}{person.name}.jpg"
            cropped = context.crop(example, crop_path, options)
            if cropped is not None:
                yield cropped


def _box_of(person: PosedPerson, camera: Camera, factor: float) -> np.ndarray:
    if person.box_px is not None:
        return boxes.expand(person.box_px, factor)
    return joint_box(camera.world_to_image(person.joints_mm), factor)
