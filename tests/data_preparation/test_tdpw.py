from __future__ import annotations

import pickle

import numpy as np
import pytest

from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from data_preparation.tdpw import ThreeDpw
from metrabs.errors import UserError
from tests.data_preparation.fakes import tdpw as fake
from tests.data_preparation.fakes.toolkit import check_markers

CONVERTER = ThreeDpw()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_tdpw(root)
    return root


def place_of(example):
    """Returns (split, person, frame), read from the path."""
    folder, name = example.image_path.split("/")[-2:]
    _, frame, person = name[:-4].split("_")
    return folder.split("_")[1], int(person), int(frame)


def test_all_splits_become_test_examples(dataset):
    assert (len(dataset.train), len(dataset.valid)) == (0, 0)
    assert [place_of(example) for example in dataset.test] == [
        ("test", 0, 0),
        ("test", 0, 1),
        ("test", 0, 2),
        ("train", 0, 0),
        ("train", 1, 0),
        ("train", 0, 2),
        ("validation", 0, 0),
        ("validation", 0, 1),
        ("validation", 0, 2),
    ]
    assert dataset.test[0].image_path == (
        "tdpw_downscaled/imageFiles/walk_test_00/image_00000_000.jpg"
    )


def test_joints_are_where_the_crops_show_them(root, dataset):
    markers = [fake.MARKERS[name] for name in dataset.joint_info.names]
    num_checked = 0
    for example in dataset.test:
        split, person, frame = place_of(example)
        if fake.drawn_person(split, frame) == person:
            num_checked += check_markers(root, example, markers)
    assert num_checked == 8 * 24


def test_coordinates_are_those_of_the_frame_s_camera(dataset):
    for example in dataset.test:
        _, person, frame = place_of(example)
        camera = fake.camera(frame)
        in_camera = (fake.joints_mm(person, frame) - camera.t) @ camera.R.T
        np.testing.assert_allclose(example.world_coords, np.roll(in_camera, -1, axis=0), atol=0.05)
        np.testing.assert_array_equal(example.camera.t, 0)


def test_report_counts_what_is_unknown(report):
    reasons = {reason: entry.count for (_, reason), entry in report.issues.entries.items()}
    assert reasons == {"camera pose unknown": 2, "person not visible": 1}


def test_splits_can_be_selected(root, tmp_path):
    report = prepare(ThreeDpw(splits=("test",)), Setup(str(root)), tmp_path, num_workers=0)
    assert report.num_examples == {"test": 3}


def test_rejects_a_pickle_that_would_run_code(root, tmp_path):
    fake.make_tdpw(tmp_path)
    path = tmp_path / "3dpw" / "sequenceFiles" / "test" / "walk_test_00.pkl"
    path.write_bytes(pickle.dumps({"a": print}, protocol=2))
    with pytest.raises(UserError, match="walk_test_00.pkl'.*print, which is not admitted"):
        prepare(ThreeDpw(splits=("test",)), Setup(str(tmp_path)), tmp_path, num_workers=0)


def test_error_names_a_missing_download(tmp_path):
    with pytest.raises(UserError, match="imageFiles.*3 more.*imageFiles.zip"):
        prepare(CONVERTER, Setup(str(tmp_path)), tmp_path, num_workers=0)
