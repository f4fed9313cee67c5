from __future__ import annotations

import numpy as np
import pytest

from metrabs.datasets.mpi_inf_3dhp import camera_of
from metrabs.evaluation.benchmarks.mpi_inf_3dhp import MpiInf3dhp
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from tests.data_preparation.fakes import tdhp as fake
from tests.data_preparation.fakes import toolkit
from tests.evaluation.oracle import Oracle, all_paths, write_grey_images


def _true_pose_mm(image_path: str) -> np.ndarray:
    """The pose of a fake test frame in world space, in the official order of joints."""
    sequence, number = int(image_path.split("/")[1][2:]), int(image_path[-10:-4])
    source = [fake.SOURCE_NAMES.index(name) for name in fake.TEST_NAMES]
    in_camera = toolkit.marker_pose(28)[source] + np.array([100.0 * (number - 1), -50, 4500])
    return camera_of(sequence).camera_to_world(in_camera)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    for number in range(1, 7):
        fake.write_test_sequence(root / "3dhp" / f"TS{number}", number, with_images=False)
    return root


@pytest.fixture
def predictions(root, tmp_path):
    benchmark = MpiInf3dhp()
    paths = all_paths(benchmark, root)
    write_grey_images(root, paths)
    poses = {level: _true_pose_mm(path)[np.newaxis] for level, path in enumerate(paths)}
    for level, path in enumerate(paths):
        if "/TS6/" in path:
            poses[level][0, 1, 0] += 170  # the neck
    oracle = Oracle(poses)
    path = tmp_path / "predictions.npz"
    predict_benchmark(benchmark, lambda: oracle, "oracle", root, path, benchmark.SETTINGS)
    return path, oracle


def test_only_valid_frames_are_predicted_with_the_best_detection(root, predictions):
    _, oracle = predictions
    assert len(all_paths(MpiInf3dhp(), root)) == 6 * (fake.NUM_TEST_FRAMES - 1)
    assert {call["max_detections"] for call in oracle.calls} == {1}
    assert {call["detector_threshold"] for call in oracle.calls} == {0}
    assert all(call["detector_flip_aug"] for call in oracle.calls)


def test_numbers_are_those_of_the_known_errors(root, predictions):
    groups = {group.title: group.numbers for group in MpiInf3dhp().evaluate(root, predictions[0])}
    official, wacv = groups["Official"], groups["WACV 2023"]
    assert official["green-screen"] == official["no-green-screen"] == pytest.approx(100)
    assert official["outdoor"] == pytest.approx(100 * (1 - 1 / 14 / 2))  # TS6 is half of it
    assert official["MPJPE"] == pytest.approx(170 / 17 / 6, rel=1e-3)
    assert wacv["MPJPE outdoor"] == pytest.approx(170 / 17 / 2, rel=1e-3)
    assert wacv["CPS@150 outdoor"] == 50 and wacv["CPS@200 outdoor"] == 100


def test_universal_poses_are_another_truth(root, predictions):
    numbers = MpiInf3dhp(universal_skeleton=True).evaluate(root, predictions[0])[0].numbers
    assert numbers["MPJPE"] > 20  # they are nine tenths of the metric ones
    assert numbers["PA-MPJPE"] < numbers["MPJPE"]
