from __future__ import annotations

import json

import numpy as np
import pytest

from data_preparation.coco import Coco, joints_of, mask_of
from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from metrabs.data.storage.cache import open_cache
from metrabs.data.storage.masks import decode_mask, encode_mask
from metrabs.errors import UserError
from tests.data_preparation.fakes import coco as fake
from tests.data_preparation.fakes.toolkit import check_markers

CONVERTER = Coco()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("coco")  # a folder of that name must not confuse the paths
    fake.make_coco(root)
    return root


def test_people_with_enough_joints_are_kept_and_numbered(dataset):
    folder = "coco_downscaled_multi"
    assert [e.image_path for e in dataset.train] == [
        f"{folder}/train2014/COCO_train2014_000000000001_00.jpg",
        f"{folder}/train2014/COCO_train2014_000000000001_01.jpg",
    ]
    assert [e.image_path for e in dataset.valid] == [
        f"{folder}/val2014/COCO_val2014_000000000003_00.jpg"
    ]


def test_joints_are_where_the_crops_show_them(root, dataset):
    markers = [fake.NAMES.index(name) for name in dataset.joint_info.names]
    a, b = dataset.train
    (g,) = dataset.valid
    for example, num_labelled in ((a, 15), (b, 9), (g, 17)):
        assert check_markers(root, example, markers) == num_labelled
        assert np.isnan(example.coords[:, 0]).sum() == 17 - num_labelled


def test_masks_are_those_of_the_polygons(dataset):
    for example in dataset.train:
        mask = decode_mask(example.mask)
        left, top, width, height = example.bbox
        expected = np.zeros_like(mask)
        expected[round(top) : round(top + height), round(left) : round(left + width)] = 1
        assert np.mean(mask != expected) < 0.02


def test_report_counts_what_was_left_out(report):
    reasons = {reason: entry.count for (_, reason), entry in report.issues.entries.items()}
    assert reasons == {"too few joints": 3, "person too small or not alone": 1}


def test_people_who_overlap_others_can_be_left_out(root, tmp_path):
    report = prepare(Coco(single_person=True), Setup(str(root)), tmp_path, num_workers=0)
    assert {name: path.name for name, path in report.caches.items()} == {
        "coco_single_person": "coco_single_person.pkl"
    }
    dataset = open_cache(report.caches["coco_single_person"])
    # The joints of A and B that are labelled lie in boxes that do not meet.
    assert len(dataset.train) == 2
    assert dataset.train[0].image_path.startswith("coco_downscaled/train2014/")


def test_unlabelled_joints_are_missing_and_hidden_ones_are_not():
    joints = joints_of([5, 6, 2, 0, 0, 0, 7, 8, 1] + [0] * 42)
    np.testing.assert_array_equal(joints[[0, 2]], [[5, 6], [7, 8]])
    assert np.isnan(joints[1]).all() and np.isnan(joints[3:]).all()


def test_masks_are_read_from_polygons_and_run_lengths():
    polygon = [[10, 20, 30, 20, 30, 50, 10, 50]]
    mask = mask_of(polygon, 60, 40)
    assert mask.dtype == np.uint8 and set(np.unique(mask)) == {0, 255}
    # The first pixel spans 0 to 1, so this rectangle is exactly 20 x 30 pixels.
    expected = np.zeros((60, 40), np.uint8)
    expected[20:50, 10:30] = 255
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(mask_of(encode_mask(mask, use_zlib=False), 60, 40), mask)


@pytest.mark.parametrize(
    ("polygon", "area_px"),
    [
        ([0, 0, 40, 0, 40, 60, 0, 60], 2400),  # the whole image
        ([-5, -5, 100, -5, 100, 100, -5, 100], 2400),  # more than the image
        ([0, 0, 40, 0, 0, 40], 800),  # half of 40 x 40
        ([20, 10, 30, 20, 20, 30, 10, 20], 200),  # half of 20 x 20
    ],
)
def test_masks_have_the_areas_of_their_polygons(polygon, area_px):
    num_edge_pixels = 0 if area_px == 2400 else 40  # slanted edges cut them
    assert abs((mask_of([polygon], 60, 40) > 0).sum() - area_px) <= num_edge_pixels / 2


def test_masks_of_several_polygons_are_their_union():
    left, right = [0, 0, 10, 0, 10, 60, 0, 60], [5, 0, 20, 0, 20, 60, 5, 60]
    assert (mask_of([left, right], 60, 40) > 0).sum() == 20 * 60
    assert not mask_of([], 60, 40).any()


@pytest.mark.parametrize(
    "polygon",
    [
        [1, 2, 3, 4],
        [1, 2, 3, 4, 5, 6, 7],
        [0, 0, 1, 0, 1e12, 1],
        [0, 0, 1, 0, float("nan"), 1],
        "polygon",
        [[1, 2], [3, 4], [5, 6]],
        None,
    ],
)
def test_damaged_polygons_are_refused(polygon):
    with pytest.raises(UserError, match="polygon that is not a list x1, y1"):
        mask_of([polygon], 60, 40)


def test_broken_images_are_left_out_and_missing_ones_are_named(tmp_path):
    fake.make_coco(tmp_path)
    image = tmp_path / "coco" / "val2014" / "COCO_val2014_000000000003.jpg"
    image.write_bytes(b"broken")
    report = prepare(CONVERTER, Setup(str(tmp_path)), tmp_path / "cache", num_workers=0)
    assert report.num_examples == {"train": 2} and not report.failures
    assert report.issues.entries["skipped", "broken image"].count == 1
    with pytest.raises(UserError, match="val2014.*000000000003.jpg' cannot be decoded"):
        prepare(
            Coco(single_person=True),
            Setup(str(tmp_path), strict=True),
            tmp_path / "cache",
            num_workers=0,
        )
    image.rename(image.with_name("other.jpg"))
    report = prepare(
        Coco(single_person=True), Setup(str(tmp_path)), tmp_path / "cache", num_workers=0
    )
    assert "000000000003.jpg' does not exist" in report.failures["val2014/000000"]


def test_an_annotation_file_without_a_field_is_named(tmp_path):
    fake.make_coco(tmp_path)
    path = tmp_path / "coco" / "annotations" / "person_keypoints_val2014.json"
    content = json.loads(path.read_text())
    del content["annotations"][0]["keypoints"]
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="person_keypoints_val2014.json' is not .*keypoints"):
        prepare(CONVERTER, Setup(str(tmp_path)), tmp_path, num_workers=0)


def test_rejects_a_split_of_another_year(tmp_path):
    with pytest.raises(UserError, match="Unknown split of COCO 'val2017'. Known: train2014"):
        Coco(splits=("val2017",)).sequences(tmp_path)
