from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from data_preparation.common.run import context_for
from data_preparation.common.setup import Setup
from data_preparation.tdhp_full import MpiInf3dhpFull, _chosen_frames
from metrabs.data.augmentation.color_correction import brighten, white_balance
from metrabs.data.storage.masks import decode_mask
from metrabs.datasets.mpi_inf_3dhp_train import View
from metrabs.geometry import boxes
from metrabs.geometry.reprojection import reproject_box_side_midpoints
from tests.data_preparation.fakes import tdhp as fake
from tests.data_preparation.fakes.toolkit import PALETTE, check_markers, project

CONVERTER = MpiInf3dhpFull(subjects=(1,), sequence_numbers=(1,), cameras=(0, 1))
KEPT_FRAMES = [0, 10, 20, 25]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_tdhp(root, subjects=(1,))
    joints_px = project(fake.world_poses(), fake.cameras()[0])
    found = [[] for _ in range(fake.NUM_FRAMES)]
    found[0] = [[*fake.detected_box(joints_px[0]), 0.9]]
    path = root / "3dhp" / "yolov4_detections" / "S1" / "Seq1" / "imageSequence" / "video_0.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(found))
    return root


def test_frames_that_differ_and_show_the_person_are_kept(dataset, report):
    assert [example.image_path for example in dataset.train] == [
        f"3dhp_full_downscaled/S1/Seq1/imageSequence/video_{camera}/{frame:06d}.jpg"
        for camera in (0, 1)
        for frame in KEPT_FRAMES
    ]
    entry = report.issues.entries["skipped", "fewer than 9 joints in the image"]
    assert entry.samples == ["S1/Seq1/video_0, frame 15", "S1/Seq1/video_1, frame 15"]


def test_joints_are_where_the_crops_show_them(root, dataset):
    palette = white_balance(brighten(PALETTE[np.newaxis]), 110, 145)[0]
    markers = [fake.MARKERS[name] for name in dataset.joint_info.names]
    assert sorted(markers) == list(range(28))
    for example in dataset.train:
        assert check_markers(root, example, markers, palette) == 28


def test_detections_of_videos_enlarge_boxes(dataset, report):
    camera = fake.cameras()[0]
    joints_px = project(fake.world_poses()[0], camera)
    hull = boxes.union_box(fake.person_box(joints_px), fake.detected_box(joints_px))
    example = dataset.train[0]
    expected = reproject_box_side_midpoints(hull, camera, example.camera)
    np.testing.assert_allclose(example.bbox, expected, atol=0.2)
    assert report.issues.entries["degraded", "no detection result"].count == len(KEPT_FRAMES)


def test_masks_show_everything_in_front_of_the_green_screen(dataset):
    for example in dataset.train:
        mask = decode_mask(example.mask)
        joints = example.camera.world_to_image(example.world_coords).round().astype(int)
        assert mask[joints[:, 1], joints[:, 0]].all()
        num_labels, _ = cv2.connectedComponents(mask)
        assert num_labels == 3  # the background, the person, and a patch elsewhere


@pytest.mark.parametrize(("num_visible", "is_chosen"), [(8, False), (9, True)])
def test_a_third_of_the_joints_must_be_visible(tmp_path, num_visible, is_chosen):
    camera, view = fake.cameras()[0], View(1, 1, 0)
    pose = np.full((28, 3), [0.0, 900, 0])
    pose[num_visible:] += (9000, 0, 0)
    context = context_for(CONVERTER, Setup(str(tmp_path)))
    chosen = _chosen_frames(pose[np.newaxis], camera, fake.IMSIZE_WH, view, context)
    assert chosen == ({0} if is_chosen else set())
