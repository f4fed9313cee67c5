from __future__ import annotations

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.evaluation.benchmarks import human36m
from metrabs.evaluation.benchmarks.prediction import predict_benchmark
from tests.data_preparation.fakes import h36m as fake
from tests.evaluation.oracle import Oracle, write_grey_images

# Where the 17 joints are among the 32 of the raw data.
RAW_POSITIONS = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_h36m(root, {9: ["Greeting 1"], 11: ["Walking", "_ALL"]})
    return root


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.setattr(human36m, "CAMERA_NAMES", fake.CAMERAS)
    return human36m.Human36M()


@pytest.fixture
def predictions(benchmark, root, tmp_path):
    """Poses that are 30 mm off in one of the 17 joints of the second evaluated frame."""
    frames = [
        frame
        for sequence in benchmark.sequences(root)
        for frame in benchmark.frames(root, sequence)
    ]
    write_grey_images(root, [frame.image_path for frame in frames])
    poses = {}
    for level, frame in enumerate(frames):
        number = int(frame.image_path[-10:-4])
        pose = fake.source_poses()[number, RAW_POSITIONS].astype(np.float64)
        pose[5, 1] += 30 * (number == 64)
        poses[level] = pose[np.newaxis]
    oracle = Oracle(poses)
    path = tmp_path / "predictions.npz"
    predict_benchmark(
        benchmark, lambda: oracle, "oracle", root, path, benchmark.SETTINGS, batch_size=2
    )
    return path, oracle


def test_every_64th_frame_of_both_subjects_is_predicted_in_its_box(benchmark, root, predictions):
    path, oracle = predictions
    assert benchmark.sequences(root) == [
        f"{name}.{camera}" for name in ("S9/Greeting 1", "S11/Walking") for camera in fake.CAMERAS
    ]
    with np.load(path) as file:
        assert file["coords3d_pred_world"].shape == (12, 17, 3)
        assert "h36m/S11/Images/Walking.54138969/frame_000128.jpg" in file["image_path"]
    frame = benchmark.frames(root, "S11/Walking.58860488")[1]
    pixels = frame.camera.world_to_image(fake.source_poses()[64])
    left, top, right, bottom = fake.box_of(pixels)
    np.testing.assert_allclose(frame.box_ltwh_px, [left, top, right - left, bottom - top], atol=1)
    assert oracle.calls[0]["skeleton"] == "h36m_17"
    assert oracle.calls[0]["num_aug"] == 1 and oracle.calls[0]["antialias_factor"] == 2
    np.testing.assert_array_equal(oracle.calls[0]["world_up_vector"], [0, 0, 1])


def test_numbers_are_those_of_the_known_errors(benchmark, root, predictions):
    groups = {group.title: group for group in benchmark.evaluate(root, predictions[0])}
    # One of 17 joints is 30 mm off in one of three frames.
    expected = 30 / 17 / 3
    assert groups["WACV 2023"].numbers["MPJPE"] == pytest.approx(expected, rel=1e-4)
    assert groups["MPJPE by activity"].numbers["Walking"] == pytest.approx(expected, rel=1e-4)
    assert groups["MPJPE by activity"].numbers["Average"] == pytest.approx(expected, rel=1e-4)
    assert 0 < groups["PA-MPJPE by activity"].numbers["Average"] < expected * 3


def test_subject_11_alone_uses_only_its_predictions(root, predictions, monkeypatch):
    monkeypatch.setattr(human36m, "CAMERA_NAMES", fake.CAMERAS)
    groups = human36m.Human36M(only_s11=True).evaluate(root, predictions[0])
    assert groups[1].numbers["Walking"] > 0 and np.isnan(groups[1].numbers["Greeting"])
    assert "subjects 11" in groups[0].protocol


def test_missing_predictions_are_named(benchmark, root, predictions):
    path, _ = predictions
    with np.load(path) as file:
        content = dict(file)
    np.savez(path, **{name: values[1:] for name, values in content.items()})
    with pytest.raises(UserError, match="lacks 1 frames, such as 'h36m/S9.*12 frames"):
        benchmark.evaluate(root, path)


def test_missing_poses_are_named(benchmark, tmp_path):
    with pytest.raises(UserError, match="S9.*Poses_D3_Positions_S9.tgz"):
        benchmark.sequences(tmp_path)
