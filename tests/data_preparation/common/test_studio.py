from __future__ import annotations

import functools
import pickle
from typing import NamedTuple

import numpy as np
import pytest

from data_preparation.common.context import ConversionContext
from data_preparation.common.matching import detected_boxes
from data_preparation.common.sampling import AdaptivePoseSampler
from data_preparation.common.setup import Setup
from data_preparation.common.studio import (
    PosedPerson,
    StudioView,
    choose_frames,
    crop_people,
    list_views,
)
from metrabs.errors import UserError
from tests.data_preparation.fakes import toolkit

IMSIZE_WH = (1280, 960)
NUM_JOINTS = 8


class Sequence(NamedTuple):
    subject: int
    action: str
    camera: str


def camera_at(x_mm):
    return toolkit.look_at_camera(
        (x_mm, 0, -4000), (0, 0, 0), IMSIZE_WH, 1000, (0, -1, 0), (-0.1, 0.02, 0, 0, 0)
    )


def joints_mm(person, frame=0):
    return toolkit.marker_pose(NUM_JOINTS, 1200) + (900 * (2 * person - 1) + 50 * frame, 0, 0)


def frame_image(camera, frame, people=(0, 1)):
    image = toolkit.blank_image(IMSIZE_WH)
    for person in people:
        toolkit.draw_markers(image, toolkit.project(joints_mm(person, frame), camera))
    return image


def box_of(camera, person, frame=0):
    return bounding_box(toolkit.project(joints_mm(person, frame), camera))


def bounding_box(pixels):
    return np.concatenate([pixels.min(axis=0), np.ptp(pixels, axis=0)])


def people_of(frames):
    return {frame: [PosedPerson(f"_{i}", joints_mm(i, frame)) for i in (0, 1)] for frame in frames}


def test_views_are_all_combinations_in_order():
    views = list_views("Toy", Sequence, {"train": (1,), "valid": (2,)}, ("walk", "sit"), ("c0",))
    assert views == [
        ("train", (1, "walk", "c0")),
        ("train", (1, "sit", "c0")),
        ("valid", (2, "walk", "c0")),
        ("valid", (2, "sit", "c0")),
    ]


@pytest.mark.parametrize(
    "subjects", [{"train": (1, 2), "valid": (2,)}, {"train": (1, 1), "valid": ()}]
)
def test_a_subject_in_two_splits_is_an_error(subjects):
    with pytest.raises(UserError, match="Toy: nothing can be in two splits.*'train': "):
        list_views("Toy", Sequence, subjects, ("walk",), ("c0",))


def test_unusable_frames_are_not_compared_with():
    poses_mm = np.zeros((5, 2, 3)) + np.array([0, 150, 160, 170, 400])[:, np.newaxis, np.newaxis]
    is_usable = np.array([True, False, True, True, True])
    assert choose_frames(poses_mm, AdaptivePoseSampler(100)) == [0, 1, 4]
    assert choose_frames(poses_mm, AdaptivePoseSampler(100), is_usable=is_usable) == [0, 2, 4]
    assert choose_frames(poses_mm, AdaptivePoseSampler(100), range(0, 5, 3)) == [0, 3]


def test_crops_show_the_people_from_every_camera(tmp_path):
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    for x_mm in (-1500, 1500):
        camera = camera_at(x_mm)
        view = StudioView(f"walk/cam{x_mm}", f"walk/cam{x_mm}.mp4", camera)
        frames = [(i, frame_image(camera, i)) for i in (0, 3)]
        examples = list(crop_people(context, view, frames, people_of((0, 3)), "crops", 1.15))
        assert [e.image_path for e in examples] == [
            f"crops/walk/cam{x_mm}/{i:06d}_{person}.jpg" for i in (0, 3) for person in (0, 1)
        ]
        for example in examples:
            found = toolkit.check_markers(tmp_path, example, range(NUM_JOINTS))
            assert found == NUM_JOINTS


def test_frames_without_people_give_no_examples(tmp_path):
    context = ConversionContext(Setup(str(tmp_path), strict=True), "toy")
    view = StudioView("walk", "walk.mp4", camera_at(0))
    frames = [(0, toolkit.blank_image(IMSIZE_WH))]
    assert not list(crop_people(context, view, frames, {}, "crops", 1.15, detected_boxes))


def test_details_are_attributes_of_the_examples(tmp_path):
    camera = camera_at(0)
    person = PosedPerson("", joints_mm(0), details={"activity_name": "walking"})
    view, frames = StudioView("walk", "walk.mp4", camera), [(0, frame_image(camera, 0))]
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    (example,) = crop_people(context, view, frames, {0: [person]}, "crops", 1.15)
    assert example.activity_name == "walking" and example.image_path == "crops/walk/000000.jpg"


def test_boxes_are_annotated_ones_or_those_of_the_joints(tmp_path):
    camera = camera_at(0)
    view, frames = StudioView("walk", "walk.mp4", camera), [(0, frame_image(camera, 0))]
    context = ConversionContext(Setup(str(tmp_path)), "toy")
    given_px = box_of(camera, 0)
    sides = []
    for box_px in (None, given_px * (1, 1, 2, 2)):
        people = {0: [PosedPerson("", joints_mm(0), box_px)]}
        (example,) = crop_people(context, view, frames, people, "crops", 1)
        scale = example.camera.intrinsic_matrix[0, 0] / camera.intrinsic_matrix[0, 0]
        sides.append(example.bbox[2:].max() / scale)
    assert sides[0] == pytest.approx(given_px[2:].max(), rel=0.1)
    assert sides[1] == pytest.approx(2 * given_px[2:].max(), rel=0.2)


def test_people_without_detection_are_left_out_and_counted(tmp_path):
    camera = camera_at(0)
    video = [[[*box_of(camera, 1), 0.9]]]
    path = tmp_path / "toy" / "found" / "walk.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(video))
    context = ConversionContext(Setup(str(tmp_path)), "toy", ("found",))
    rule = functools.partial(detected_boxes, min_iou=0.5)
    view, frames = StudioView("walk", "walk.mp4", camera), [(0, frame_image(camera, 0))]
    examples = list(crop_people(context, view, frames, people_of((0,)), "crops", 1.1, rule))
    assert [example.image_path for example in examples] == ["crops/walk/000000_1.jpg"]
    entry = context.issues.entries["skipped", "no detection of an annotated person"]
    assert entry.samples == ["walk.mp4:0_0"]
