from __future__ import annotations

import pytest

from metrabs.datasets import mpi_inf_3dhp_train
from metrabs.datasets.mpi_inf_3dhp_train import (
    View,
    calibrated_camera,
    read_calibration,
    read_poses,
)
from metrabs.errors import UserError
from tests.data_preparation.fakes import tdhp as fake


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_tdhp(root, subjects=(1,))
    return root


def test_annotations_end_where_the_published_table_says(root, monkeypatch):
    monkeypatch.setitem(mpi_inf_3dhp_train._NUM_FRAMES, 1, (12, 12))
    monkeypatch.setitem(mpi_inf_3dhp_train._SHORT_VIDEOS, (1, 1, 1), 7)
    for camera, num_frames in ((0, 12), (1, 7)):
        poses = read_poses(root / "3dhp", View(1, 1, camera))
        assert poses.joints_mm.shape == (num_frames, 28, 3)


def test_error_names_a_camera_that_is_missing_from_the_calibration(root):
    num_cameras = len(read_calibration(root / "3dhp" / "S1" / "Seq1" / "camera.calibration"))
    view = View(1, 1, num_cameras)
    with pytest.raises(UserError, match=f"ends after {num_cameras} cameras"):
        calibrated_camera(root / "3dhp", view)


def test_error_names_a_damaged_calibration(tmp_path):
    path = tmp_path / "camera.calibration"
    path.write_text("Skeletool Camera Calibration File V1.0\nname 0\n  extrinsic 1 0 0\n")
    with pytest.raises(UserError, match="camera.calibration' is not a Skeletool"):
        read_calibration(path)
