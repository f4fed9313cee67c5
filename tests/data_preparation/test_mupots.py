from __future__ import annotations

import pickle

import numpy as np
import pytest

from data_preparation.common.run import prepare
from data_preparation.common.setup import Setup
from data_preparation.mupots import MuPoTS
from metrabs.errors import UserError
from metrabs.geometry import boxes
from tests.data_preparation.fakes import mupots as fake
from tests.data_preparation.fakes.toolkit import check_markers, project

CONVERTER = MuPoTS(names=("TS1", "TS10"))
ORDER = (
    "htop neck rsho relb rwri lsho lelb lwri rhip rkne rank lhip lkne lank pelv spin head"
).split()


def detection_of(sequence, frame, person):
    """A detected box that is a little larger than the person."""
    pixels = project(fake.joints_mm(sequence, frame, person), fake.camera(sequence))
    return [*boxes.expand(boxes.bounding_box(pixels), 1.2), 0.9]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_mupots(root)
    detections = {
        # The order of detections is not that of the people; one is unsure, one far away.
        "TS1/img_000000.jpg": [
            detection_of("TS1", 0, 1),
            [1, 1, 30, 30, 0.05],
            detection_of("TS1", 0, 0),
        ],
        "TS1/img_000001.jpg": [detection_of("TS1", 1, 0), detection_of("TS1", 1, 1)],
        "TS10/img_000000.jpg": [],
        "TS10/img_000001.jpg": [[150, 1, 8, 8, 0.8]],
    }
    (root / "mupots" / "yolov3_detections.pkl").write_bytes(pickle.dumps(detections))
    return root


def test_annotated_people_get_the_detection_assigned_to_them(root, dataset, report):
    places = [("TS1", 0, 0), ("TS1", 0, 1), ("TS1", 1, 0)]
    assert [e.image_path for e in dataset.valid] == [
        f"mupots/{sequence}/img_{frame:06d}.jpg" for sequence, frame, _ in places
    ]
    pelvis_last = [*range(14), 15, 16, 14]
    for example, place in zip(dataset.valid, places):
        np.testing.assert_allclose(example.bbox, detection_of(*place)[:4], rtol=1e-5)
        joints = fake.joints_mm(*place)[pelvis_last]
        np.testing.assert_allclose(example.world_coords, joints, atol=1e-2)
        np.testing.assert_allclose(example.univ_coords, 0.9 * joints, atol=1e-2)
    lost = report.issues.entries["skipped", "no detection of an annotated person"]
    assert lost.count == 2 and lost.samples[0] == "TS10/img_000000.jpg"


def test_joints_are_where_the_images_show_them(root, dataset):
    markers = [ORDER.index(name) for name in dataset.joint_info.names]
    for example in dataset.valid:
        assert check_markers(root, example, markers, radius_px=4) == 17


def test_every_confident_detection_is_a_test_example_without_joints(dataset):
    assert [e.image_path for e in dataset.test] == [
        f"mupots/{name}.jpg"
        for name in (
            "TS1/img_000000",
            "TS1/img_000000",
            "TS1/img_000001",
            "TS1/img_000001",
            "TS10/img_000001",
        )
    ]
    for example in dataset.test:
        assert np.isnan(example.world_coords).all()
        assert example.scene_name == example.image_path.split("/")[1]
    matrix = dataset.test[0].camera.intrinsic_matrix
    np.testing.assert_allclose(matrix, fake.camera("TS1").intrinsic_matrix, rtol=1e-4)


def test_people_marked_invalid_count_on_request_only(root, tmp_path, dataset):
    converter = MuPoTS(names=("TS1",), include_invalid=True)
    report = prepare(converter, Setup(str(root)), tmp_path, num_workers=0)
    reasons = {reason: entry.count for (_, reason), entry in report.issues.entries.items()}
    # The joints of the invalid person are zeros here, so no detection fits them.
    assert reasons == {"no detection of an annotated person": 1}
    assert ("skipped", "no detection of an annotated person") in report.issues.entries


def test_without_any_detections_nothing_is_begun(tmp_path):
    fake.make_mupots(tmp_path)
    with pytest.raises(UserError, match="needs person detections.*mupots/yolov4_detections.pkl"):
        prepare(CONVERTER, Setup(str(tmp_path)), tmp_path / "cache", num_workers=0)
    assert not (tmp_path / "cache").exists()
