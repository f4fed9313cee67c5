from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from metrabs.estimator.client import FramePoses
from metrabs.predict.cameras import CameraChoice
from metrabs.predict.writers import PoseRecord, write_csv, write_json, write_npz
from tests.predict.fakes import SKELETON, frame_poses


@pytest.fixture(params=["camera", "world"])
def record(request):
    camera = CameraChoice(extrinsic_matrix=np.eye(4) if request.param == "world" else None)
    frames = [frame_poses(2), frame_poses(0), frame_poses(1, seed=3)]
    return PoseRecord(
        "clip.mp4", "metrabs_s", "three", SKELETON, camera, (640, 480), 10.0, [0, 1, 5], frames
    )


def test_json_contains_names_units_frame_and_camera(record, tmp_path):
    write_json(record, tmp_path / "poses.json")
    content = json.loads((tmp_path / "poses.json").read_text())
    assert content["joint_names"] == SKELETON.names
    assert content["units"] == {"poses3d": "mm", "poses2d": "px", "boxes": "px", "time": "s"}
    assert content["frame"] == record.camera.frame
    assert content["image_size_wh_px"] == [640, 480]
    np.testing.assert_allclose(
        content["camera"]["intrinsic_matrix_px"], record.camera.intrinsics_for((480, 640))
    )
    assert [frame["index"] for frame in content["frames"]] == [0, 1, 5]
    assert [len(frame["people"]) for frame in content["frames"]] == [2, 0, 1]
    assert content["frames"][2]["time_s"] == 0.5
    person = content["frames"][0]["people"][1]
    np.testing.assert_allclose(person["pose3d_mm"], record.frames[0].poses3d_mm[1], atol=6e-4)
    np.testing.assert_allclose(person["pose2d_px"], record.frames[0].poses2d_px[1], atol=6e-4)


def test_csv_has_a_row_per_joint_with_units_and_frame_in_its_header(record, tmp_path):
    write_csv(record, tmp_path / "poses.csv")
    with open(tmp_path / "poses.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 3
    row = rows[-1]
    assert (row["frame"], row["person"], row["joint"], row["time_s"]) == ("5", "0", "rwri", "0.5")
    x, y, z = record.frames[2].poses3d_mm[0, 2]
    assert float(row[f"z_{record.camera.frame}_mm"]) == pytest.approx(z, abs=6e-4)
    assert float(row["x_image_px"]) == pytest.approx(
        record.frames[2].poses2d_px[0, 2, 0], abs=6e-4
    )


def test_npz_concatenates_the_people_of_all_frames(record, tmp_path):
    write_npz(record, tmp_path / "poses.npz")
    with np.load(tmp_path / "poses.npz") as file:
        assert file["frame_index"].tolist() == [0, 0, 5]
        assert file["poses3d_mm"].shape == (3, 3, 3) and file["boxes_ltwh_px"].shape == (3, 4)
        np.testing.assert_allclose(
            file["poses3d_mm"][2], record.frames[2].poses3d_mm[0], rtol=1e-6
        )
        assert file["joint_names"].tolist() == SKELETON.names
        assert json.loads(str(file["description"]))["frame"] == record.camera.frame


def test_files_without_people_can_be_written(tmp_path):
    record = PoseRecord(
        "a.jpg", "m", "three", SKELETON, CameraChoice(), (64, 48), None, [0], [frame_poses(0)]
    )
    write_json(record, tmp_path / "a.json")
    write_csv(record, tmp_path / "a.csv")
    write_npz(record, tmp_path / "a.npz")
    assert json.loads((tmp_path / "a.json").read_text())["frames"][0]["time_s"] is None
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1
    assert np.load(tmp_path / "a.npz")["poses3d_mm"].shape == (0, 3, 3)


def test_missing_joints_are_null(tmp_path):
    poses = FramePoses(
        np.zeros([1, 4]), np.ones(1), np.full([1, 3, 3], np.nan), np.zeros([1, 3, 2])
    )
    record = PoseRecord("a", "m", "three", SKELETON, CameraChoice(), (6, 4), None, [0], [poses])
    write_json(record, tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["frames"][0]["people"][0]["pose3d_mm"][0] == [None, None, None]
