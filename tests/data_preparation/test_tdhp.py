from __future__ import annotations

import numpy as np
import pytest

from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from data_preparation.tdhp import MpiInf3dhp
from metrabs.data.augmentation.color_correction import brighten, white_balance
from metrabs.data.storage.cache import open_cache
from metrabs.data.storage.masks import decode_mask
from metrabs.errors import UserError
from metrabs.geometry import boxes
from metrabs.geometry.reprojection import reproject_box_side_midpoints
from tests.data_preparation.fakes import tdhp as fake
from tests.data_preparation.fakes.toolkit import PALETTE, check_markers, project

CONVERTER = MpiInf3dhp(
    train_subjects=(1,),
    valid_subjects=(8,),
    sequence_numbers=(1,),
    cameras=(0, 1),
    test_sequences=(1, 5),
)
KEPT_FRAMES = [0, 10, 20, 25]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_tdhp(root)
    return root


def markers_of(dataset):
    return [fake.MARKERS[name] for name in dataset.joint_info.names]


def test_chosen_frames_and_their_names(dataset):
    expected = [
        f"3dhp_downscaled/S1/Seq1/imageSequence/img_{camera}_{frame:06d}.jpg"
        for camera in (0, 1)
        for frame in KEPT_FRAMES
    ]
    assert [example.image_path for example in dataset.train] == expected
    assert [e.image_path for e in dataset.valid] == [p.replace("S1", "S8") for p in expected]


def test_joints_are_where_the_crops_show_them(root, dataset):
    palette = white_balance(brighten(PALETTE[np.newaxis]), 110, 145)[0]
    for example in [*dataset.train, *dataset.valid]:
        assert check_markers(root, example, markers_of(dataset), palette) == 17


def test_world_coordinates_are_metric_and_universal(dataset):
    frame_10 = dataset.train[1]
    source = markers_of(dataset)
    np.testing.assert_allclose(frame_10.world_coords, fake.world_poses()[10][source], atol=0.01)
    to_camera = frame_10.camera.world_to_camera
    np.testing.assert_allclose(
        to_camera(frame_10.univ_coords), 0.9 * to_camera(frame_10.world_coords), atol=0.05
    )


def test_boxes_are_united_with_detections_of_the_same_person_only(dataset):
    camera = fake.cameras()[0]
    for example, frame in zip(dataset.train, KEPT_FRAMES):
        pixels = project(fake.world_poses()[frame], camera)[markers_of(dataset)]
        expected = fake.person_box(pixels)
        if frame == 0:
            all_pixels = project(fake.world_poses()[frame], camera)
            expected = boxes.union_box(expected, fake.detected_box(all_pixels))
        expected = reproject_box_side_midpoints(
            expected, camera, example.camera
        )  # both see the same, as another test shows
        np.testing.assert_allclose(example.bbox, expected, atol=0.2)


def test_masks_show_the_person_alone(dataset):
    for example in dataset.train:
        mask = decode_mask(example.mask)
        joints = example.camera.world_to_image(example.world_coords).round().astype(int)
        assert mask[joints[:, 1], joints[:, 0]].all()
        pixels = project(
            fake.world_poses()[int(example.image_path[-10:-4])],
            fake.cameras()[int(example.image_path[-12])],
        )
        box = reproject_box_side_midpoints(
            fake.person_box(pixels), fake.cameras()[int(example.image_path[-12])], example.camera
        )
        assert mask.sum() == pytest.approx(boxes.area(box), rel=0.05)


def test_report_counts_what_was_left_out(report):
    reasons = {reason: entry.count for (_, reason), entry in report.issues.entries.items()}
    assert reasons == {"person not entirely in the image": 4, "no detection result": 4}


def test_strict_requires_all_detections(root, tmp_path):
    with pytest.raises(UserError, match="No detection result.*img_0_000020.jpg"):
        prepare(CONVERTER, Setup(str(root), strict=True), tmp_path, num_workers=0)


def test_test_images_are_not_cropped_and_show_their_joints(root, dataset):
    numbers = [i + 1 for i in range(fake.NUM_TEST_FRAMES) if i != fake.INVALID_TEST_FRAME]
    assert [example.image_path for example in dataset.test] == [
        f"3dhp/TS{sequence}/imageSequence/img_{number:06d}.jpg"
        for sequence in (1, 5)
        for number in numbers
    ]
    for example in dataset.test:
        found = check_markers(root, example, markers_of(dataset), radius_px=9)
        assert found == 17 and example.mask is None
    assert [(e.scene_name, e.activity_name) for e in dataset.test] == [
        ("green-screen", "Stand/Walk"),
        ("green-screen", "Misc."),
        ("outdoor", "Stand/Walk"),
        ("outdoor", "Misc."),
    ]


def test_a_damaged_video_leaves_out_its_sequence_and_is_named(tmp_path):
    fake.make_tdhp(tmp_path, subjects=(1,))
    video = tmp_path / "3dhp" / "S1" / "Seq1" / "imageSequence" / "video_1.avi"
    video.write_bytes(video.read_bytes()[:20000])
    converter = MpiInf3dhp(
        train_subjects=(1,),
        valid_subjects=(),
        sequence_numbers=(1,),
        cameras=(0, 1),
        test_sequences=(),
    )
    report = prepare(converter, Setup(str(tmp_path)), tmp_path / "cache", num_workers=0)
    assert list(report.failures) == ["S1/Seq1/video_1"]
    assert str(video) in report.failures["S1/Seq1/video_1"]
    assert "S1/Seq1/video_1" in (tmp_path / "cache" / "tdhp_report.txt").read_text()
    assert len(open_cache(report.caches["tdhp"]).train) == len(KEPT_FRAMES)


def test_recordings_can_be_chosen_one_by_one(tmp_path):
    converter = MpiInf3dhp(recordings=("S1/Seq1", "S8/Seq2"), cameras=(0,), test_sequences=())
    assert [str(sequence.source) for sequence in converter.sequences(tmp_path)] == [
        "S1/Seq1/video_0",
        "S8/Seq2/video_0",
    ]
    folders = {download.pattern.rsplit("/", 1)[0] for download in converter.downloads()}
    assert {folder for folder in folders if folder.count("/") == 2} == {
        "3dhp/S1/Seq1",
        "3dhp/S8/Seq2",
    }
    with pytest.raises(UserError, match="Unknown recording of MPI-INF-3DHP 'S9/Seq1'"):
        MpiInf3dhp(recordings=("S9/Seq1",)).sequences(tmp_path)
