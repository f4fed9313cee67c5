from __future__ import annotations

import pickle

import numpy as np
import pytest

from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from data_preparation.h36m import Human36M
from metrabs.data.storage.cache import open_cache
from metrabs.data.storage.images import read_image
from metrabs.data.storage.masks import encode_mask
from metrabs.datasets.h36m import Recording, read_camera
from metrabs.errors import UserError
from tests.data_preparation.fakes import h36m as fake
from tests.data_preparation.fakes.toolkit import check_markers, project

SETTINGS = dict(train_subjects=(1,), test_subjects=(9,), cameras=fake.CAMERAS)
CONVERTER = Human36M(**SETTINGS)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_h36m(root)
    return root


@pytest.fixture
def dataset(report):
    return open_cache(report.caches["h36m_alljoints"])


def frames_of(examples, part):
    return [int(e.image_path[-10:-4]) for e in examples if part in e.image_path]


def test_training_frames_are_thinned_and_test_frames_are_every_64th(dataset):
    for camera in fake.CAMERAS:
        assert frames_of(dataset.train, f"Walking.{camera}") == [0, 85, 100, 115, 130]
        assert frames_of(dataset.test, f"Greeting.{camera}") == [0, 64, 128]
        assert frames_of(dataset.test, f"Greeting 1.{camera}") == [0, 64, 128]
    assert (len(dataset.train), len(dataset.valid), len(dataset.test)) == (10, 0, 12)
    paths = [example.image_path for example in dataset.train]
    assert paths == sorted(paths)


@pytest.mark.parametrize("cache", ["h36m", "h36m_alljoints"])
def test_joints_are_where_the_crops_show_them(root, report, cache):
    dataset = open_cache(report.caches[cache])
    markers = [fake.MARKERS[name] for name in dataset.joint_info.names]
    examples = [*dataset.train, *(e for e in dataset.test if "Greeting 1" in e.image_path)]
    for example in examples:
        assert check_markers(root, example, markers) == dataset.joint_info.num_joints
        assert (example.dataset, example.activity_name) in [
            ("h36m", "Walking"),
            ("h36m", "Greeting"),
        ]


def test_world_coordinates_are_those_of_the_files(dataset):
    # The pelvis is the first joint of the files and the last one here.
    frame_85 = next(e for e in dataset.train if e.image_path.endswith("000085.jpg"))
    np.testing.assert_allclose(frame_85.world_coords[-1], fake.source_poses()[85, 0], atol=1e-3)


def test_shifted_activities_of_subject_9_are_corrected(root, dataset):
    shifted, right = (
        next(e for e in dataset.test if f"{activity}.{fake.CAMERAS[0]}" in e.image_path)
        for activity in ("Greeting", "Greeting 1")
    )
    np.testing.assert_allclose(
        shifted.world_coords - right.world_coords,
        np.broadcast_to([-200, 0, 0], (25, 3)),
        atol=1e-3,
    )
    # The crop follows the corrected box: the person's true place is off its middle by 20 cm.
    pixels_per_mm = shifted.camera.intrinsic_matrix[0, 0] / 4450
    pelvis_in_box = [
        e.camera.world_to_image(right.world_coords[-1])[0] - e.bbox[0] for e in (right, shifted)
    ]
    assert abs(pelvis_in_box[1] - pelvis_in_box[0]) == pytest.approx(200 * pixels_per_mm, rel=0.2)


def test_published_positions_of_subject_9_can_be_kept(root, tmp_path):
    converter = Human36M(**SETTINGS, correct_s9=False)
    report = prepare(converter, Setup(str(root)), tmp_path, num_workers=0)
    assert set(report.caches) == {"h36m_incorrect_S9", "h36m_alljoints_incorrect_S9"}
    dataset = open_cache(report.caches["h36m_alljoints_incorrect_S9"])
    markers = [fake.MARKERS[name] for name in dataset.joint_info.names]
    for example in dataset.test:
        assert check_markers(root, example, markers) == 25
        assert example.image_path.startswith("h36m_downscaled_incorrect_S9/S9/Images/Greeting")


def test_evaluation_on_full_images_finds_frames_and_boxes(root, report, dataset):
    name = f"Greeting 1.{fake.CAMERAS[0]}"
    frames = sorted((root / "h36m" / "S9" / "Images" / name).iterdir())
    assert [path.name for path in frames] == [f"frame_{i:06d}.jpg" for i in (0, 64, 128)]
    boxes = np.load(root / "h36m" / "S9" / "BBoxes" / f"{name}.npy")
    camera = fake.write_metadata(root / "again" / "metadata.xml")[fake.CAMERAS[0]]
    for frame, pixels in zip((0, 139), project(fake.source_poses()[[0, 139]], camera)):
        left, top, right, bottom = fake.box_of(pixels)
        np.testing.assert_array_equal(boxes[frame], [left, top, right - left, bottom - top])


def test_masks_of_the_crops_are_added(root, report, dataset):
    crop = dataset.train[0]
    mask = np.zeros((40, 30), np.uint8)
    mask[5:20, 3:9] = 1
    folder = root / "h36m_downscaled" / "masks"
    folder.mkdir()
    key = "/".join(crop.image_path.split("/")[-4:])
    (folder / "a.pkl").write_bytes(pickle.dumps({key: encode_mask(mask, use_zlib=False)}))
    again = prepare(CONVERTER, Setup(str(root)), root / "cache", num_workers=0)
    train = open_cache(again.caches["h36m"]).train
    assert train[0].mask == encode_mask(mask, use_zlib=False)
    assert train[1].mask is None
    assert again.issues.entries["degraded", "no mask result"].count == len(train) - 1


def test_error_names_a_missing_subject_and_the_archive_to_download(root):
    converter = Human36M(**{**SETTINGS, "train_subjects": (1, 5)})
    with pytest.raises(UserError, match=r"S5/Videos/\*.mp4.*Videos_S5.tgz"):
        prepare(converter, Setup(str(root)), root / "cache2", num_workers=0)


def test_a_subject_cannot_be_in_two_splits(root):
    with pytest.raises(UserError, match="one split"):
        Human36M(train_subjects=(1, 9), test_subjects=(9,)).sequences(root)


def test_rejects_an_unknown_camera(root):
    with pytest.raises(UserError, match="Unknown camera of Human3.6M '1'. Known: 54138969"):
        Human36M(**{**SETTINGS, "cameras": ("1",)}).sequences(root)


@pytest.mark.parametrize("num_boxes", [fake.NUM_FRAMES - 2, fake.NUM_FRAMES + 2])
def test_poses_and_boxes_are_cut_to_the_shorter_before_they_are_corrected(
    root, tmp_path, num_boxes
):
    recording = Recording(9, "Greeting", fake.CAMERAS[0])
    fake.make_h36m(tmp_path, {9: ["Greeting"]}, fake.CAMERAS[:1])
    folder = tmp_path / "h36m"
    given = np.resize(np.array([100, 100, 40, 80], np.float32), (num_boxes, 4))
    (folder / "S9" / "BBoxes").mkdir()
    np.save(folder / "S9" / "BBoxes" / f"Greeting.{fake.CAMERAS[0]}.npy", given)
    camera = read_camera(folder, recording)
    poses_mm, boxes_px = CONVERTER._poses_and_boxes(recording, camera, folder)
    assert len(poses_mm) == len(boxes_px) == min(num_boxes, fake.NUM_FRAMES)
    assert (np.abs(boxes_px[:, 0] - 100) > 3).all()  # moved with the person


def test_the_partial_variant_shows_people_smaller(root, dataset, tmp_path):
    converter = Human36M(**{**SETTINGS, "test_subjects": ()}, partial=True)
    report = prepare(converter, Setup(str(root)), tmp_path, num_workers=0)
    wide = open_cache(report.caches["h36m_alljoints_partial"]).train[0]
    usual = dataset.train[0]
    assert wide.image_path == usual.image_path.replace("downscaled", "downscaled_partial")
    shares = [
        np.prod(e.bbox[2:]) / read_image(str(root / e.image_path))[..., 0].size
        for e in (usual, wide)
    ]
    assert shares[1] < 0.9 * shares[0]  # the images end soon
