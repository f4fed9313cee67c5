from __future__ import annotations

import pickle

import numpy as np
import pytest

from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from data_preparation.mpii import Mpii
from metrabs.data.storage.cache import open_cache
from metrabs.errors import UserError
from metrabs.geometry import boxes
from tests.data_preparation.fakes import mpii as fake
from tests.data_preparation.fakes.toolkit import check_markers


def detections():
    return {
        "images/000000001.jpg": [
            [*boxes.expand(fake.box_of("whole"), 1.1), 0.9],
            [*boxes.expand(fake.box_of("few"), 1.1), 0.9],
        ],
        "images/000000002.jpg": [
            [*boxes.expand(fake.box_of("alone"), 1.3), 0.6],
            [*boxes.expand(fake.box_of("alone"), 1.2), 0.4],
        ],
        "images/000000003.jpg": [[0, 0, 400, 400, 0.9]],
    }


def run(root, found, variant="yolo_nofilt"):
    (root / "mpii" / "yolov3_detections.pkl").write_bytes(pickle.dumps(found))
    report = prepare(Mpii(variant), Setup(str(root)), root / "cache", num_workers=0)
    return report, open_cache(report.caches[f"mpii_{variant}"])


def run_plain(root):
    report = prepare(Mpii(), Setup(str(root)), root / "cache", num_workers=0)
    return report, open_cache(report.caches["mpii"])


def reasons_of(report):
    return {reason: entry.count for (_, reason), entry in report.issues.entries.items()}


@pytest.fixture
def root(tmp_path):
    fake.make_mpii(tmp_path)
    return tmp_path


def test_detected_people_with_enough_joints_are_cropped(root):
    report, dataset = run(root, detections())
    assert [example.image_path for example in dataset.train] == [
        f"mpii_downscaled_yolo_nofilt/images/{name}.jpg"
        for name in ("000000001_00", "000000002_00")
    ]
    assert reasons_of(report) == {"too few joints": 1, "no detection of an annotated person": 1}


def test_joints_are_where_the_crops_show_them(root):
    _, dataset = run(root, detections())
    markers = [fake.NAMES.index(name) for name in dataset.joint_info.names]
    whole, alone = dataset.train
    assert check_markers(root, whole, markers) == 16
    assert check_markers(root, alone, markers) == 8
    assert np.isnan(alone.coords).any(axis=1).sum() == 8


def test_boxes_are_those_of_confident_detections(root):
    _, dataset = run(root, detections())
    scale = np.ptp(dataset.train[1].coords[:8, 0]) / np.ptp(fake.joints_px("alone")[:8, 0])
    expected = boxes.expand(fake.box_of("alone"), 1.3)[2:] * scale
    np.testing.assert_allclose(dataset.train[1].bbox[2:], expected, rtol=1e-3)


def test_people_without_a_detection_near_them_are_left_out(root):
    found = detections()
    found["images/000000002.jpg"] = [[350, 10, 40, 40, 0.9]]
    report, dataset = run(root, found)
    assert len(dataset.train) == 1
    assert report.issues.entries["skipped", "no detection of an annotated person"].count == 2


def test_another_file_in_place_of_the_annotation_is_named(root):
    path = root / "mpii" / "mpii_human_pose_v1_u12_1.mat"
    path.write_text("not MATLAB")
    with pytest.raises(UserError, match="u12_1.mat' is not a MATLAB file"):
        run(root, detections())


def test_of_ten_joints_more_than_six_are_needed(root):
    report, dataset = run(root, detections(), "yolo")
    # Of the eight joints of the person in the second image, pelvis and thorax do not count.
    assert [example.image_path for example in dataset.train] == [
        "mpii_downscaled_yolo/images/000000001_00.jpg"
    ]
    assert reasons_of(report)["too few joints"] == 2
    names = "rank rkne rhip lhip lkne lank rwri relb lelb lwri".split()
    assert list(dataset.joint_info.names) == names
    assert check_markers(root, dataset.train[0], [fake.NAMES.index(name) for name in names]) == 10


def test_plain_variant_has_people_apart_from_others(root):
    report, dataset = run_plain(root)
    # Names have the place among all rectangles; the first one of the second image is empty.
    assert [example.image_path for example in dataset.train] == [
        f"mpii_downscaled/images/{name}.jpg"
        for name in ("000000001_01", "000000002_01", "000000002_02")
    ]
    assert reasons_of(report) == {"person close to others": 1}
    assert {example.dataset for example in dataset.train} == {"mpii"}


def test_plain_variant_has_at_most_twelve_joints(root):
    _, dataset = run_plain(root)
    names = "rank rkne rhip lhip lkne lank rwri relb rsho lsho lelb lwri".split()
    assert list(dataset.joint_info.names) == names
    markers = [fake.NAMES.index(name) for name in names]
    for example, num_joints in zip(dataset.train, (6, 6, 1)):
        assert check_markers(root, example, markers) == num_joints
        assert (~np.isnan(example.coords[:, 0])).sum() == num_joints


def test_boxes_of_the_plain_variant_are_squares_around_the_annotated_position(root):
    _, dataset = run_plain(root)
    # Position (170, 190) and scale 1.5: 300 pixels, centre 22.5 further down. The crop shows
    # that 1.2 times as large, which is the most.
    alone = dataset.train[1]
    np.testing.assert_allclose(alone.bbox[2:], 360, rtol=1e-5)
    in_image = (alone.coords - alone.bbox[:2]) / 1.2 + [20, 62.5]
    np.testing.assert_allclose(in_image[:6], fake.joints_px("alone")[:6], atol=1e-2)
    # Position (300, 150) and scale 1: 200 pixels, centre 15 further down.
    few = dataset.train[0]
    np.testing.assert_allclose(few.bbox[2:], 240, rtol=1e-5)
    in_image = (few.coords - few.bbox[:2]) / 1.2 + [200, 65]
    np.testing.assert_allclose(in_image[:6], fake.joints_px("few")[:6], atol=1e-2)


def test_plain_variant_leaves_out_people_without_a_position(root):
    rectangles = [
        fake.Rectangle(fake.joints_px("alone"), place) for place in (None, fake.PLACES["alone"])
    ]
    fake.write_annotations(
        root / "mpii", {"000000001.jpg": [], "000000002.jpg": rectangles}, is_training=[1, 1]
    )
    report, dataset = run_plain(root)
    assert [e.image_path for e in dataset.train] == ["mpii_downscaled/images/000000002_01.jpg"]
    assert reasons_of(report) == {"no position or scale": 1}


@pytest.mark.parametrize("are_alone", [[True], [True, True], [False, True], [False, False]])
def test_people_in_a_single_image_are_found(root, are_alone):
    rectangles = [
        fake.Rectangle(fake.joints_px("alone"), fake.PLACES["alone"], is_alone)
        for is_alone in are_alone
    ]
    fake.write_annotations(root / "mpii", {"000000002.jpg": rectangles}, is_training=[1])
    report, dataset = run_plain(root)
    assert [int(e.image_path[-6:-4]) for e in dataset.train] == list(np.flatnonzero(are_alone))
    assert reasons_of(report) == (
        {} if all(are_alone) else {"person close to others": are_alone.count(False)}
    )


def test_variants_do_not_touch_each_other(root):
    run_plain(root)
    first = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    for variant in ("yolo_nofilt", "yolo"):
        run(root, detections(), variant)
    assert {path.name for path in (root / "cache").iterdir()} == {
        f"mpii{suffix}{end}"
        for suffix in ("", "_yolo_nofilt", "_yolo")
        for end in (".pkl", "_report.txt")
    }
    assert all(path.read_bytes() == content for path, content in first.items())


def test_all_but_the_plain_variant_need_detections(root):
    assert run_plain(root)[1].train
    with pytest.raises(UserError, match="needs person detections"):
        prepare(Mpii("yolo"), Setup(str(root)), root / "cache", num_workers=0)


def test_rejects_unknown_variants():
    with pytest.raises(UserError, match="Unknown variant of MPII 'yolov4'. Known: plain, yolo"):
        Mpii("yolov4")
