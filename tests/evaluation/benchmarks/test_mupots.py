from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.evaluation.benchmarks.mupots import MuPoTS
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from tests.data_preparation.fakes import mupots as fake
from tests.evaluation.oracle import Oracle, all_paths, write_grey_images


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_mupots(root)
    return root


@pytest.fixture(scope="module")
def predictions(root, tmp_path_factory):
    """Everybody is found but the one person of TS2 in frame 0; in TS3 a joint is 170 mm off."""
    benchmark = MuPoTS()
    paths = all_paths(benchmark, root)
    write_grey_images(root, paths)
    poses = {}
    for level, path in enumerate(paths):
        sequence, frame = path.split("/")[1], int(path[-10:-4])
        people = [
            fake.joints_mm(sequence, frame, person) for person in range(fake.num_people(sequence))
        ]
        poses[level] = np.array(people)[: 0 if (sequence, frame) == ("TS2", 0) else None]
        if sequence == "TS3":
            poses[level][:, 0, 2] += 170
    path = tmp_path_factory.mktemp("predictions") / "mupots.npz"
    predict_benchmark(benchmark, lambda: Oracle(poses), "oracle", root, path, benchmark.SETTINGS)
    return path


def test_there_is_a_row_per_predicted_person(predictions):
    with np.load(predictions) as file:
        assert len(file["image_path"]) == len(file["coords3d_pred_world"]) == 2 * 20 + 2 - 1


def test_numbers_are_those_of_the_known_errors(root, predictions):
    groups = {group.title: group.numbers for group in MuPoTS().evaluate(root, predictions)}
    wacv = groups["WACV 2023"]
    # 41 annotated people are valid (one of TS1 is not); the lost one is among them.
    assert wacv["recall"] == pytest.approx(100 * 40 / 41)
    assert wacv["MPJPE"] == pytest.approx(2 * 10 / 40, rel=1e-3)
    metric = groups["metric, root-relative, bones as predicted"]
    assert metric["pck_all_anno TS2"] == pytest.approx(50)
    assert metric["pck_matched TS2"] == 100
    assert metric["pck_matched TS3"] == pytest.approx(100 * 13 / 14)
    assert metric["mpjpe14 mean"] == pytest.approx(170 / 14 / 20, rel=1e-3)
    universal = groups["universal, root-relative, bones rescaled"]
    assert universal["mpjpe17 TS4"] == pytest.approx(0, abs=0.05)
    assert groups["universal, root-relative, bones as predicted"]["mpjpe17 TS4"] > 10


def test_predictions_of_other_images_are_reported(root, tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(
        path, image_path=["3dhp/TS1/x/img_000001.jpg"], coords3d_pred_world=np.zeros([1, 17, 3])
    )
    with pytest.raises(UserError, match="not an image of MuPoTS"):
        MuPoTS().evaluate(root, path)


def test_missing_images_are_named(tmp_path):
    with pytest.raises(UserError, match="TS1.*MultiPersonTestSet.zip"):
        MuPoTS().frames(tmp_path, "TS1")
