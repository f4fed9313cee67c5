from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.predict.cameras import CameraChoice, read_camera

INTRINSICS = [[900.0, 0, 320], [0, 910, 240], [0, 0, 1]]
DISTORTION = [0.1, -0.2, 0.001, 0.002, 0.05]
EXTRINSICS = [[0.0, 0, 1, 100], [1, 0, 0, 200], [0, 1, 0, 300]]


def write(path, fields):
    """Writes fields in the format given by the suffix."""
    if path.suffix == ".json":
        path.write_text(json.dumps(fields))
    elif path.suffix == ".npz":
        np.savez(path, **fields)
    elif path.suffix == ".npy":
        np.save(path, fields["intrinsic_matrix"])
    elif path.suffix == ".txt":
        np.savetxt(path, fields["intrinsic_matrix"])
    else:
        storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
        names = {
            "intrinsic_matrix": "camera_matrix",
            "distortion_coeffs": "distortion_coefficients",
        }
        for name, value in fields.items():
            storage.write(names.get(name, name), np.array(value, np.float64))
        storage.write("image_width", 640)
        storage.release()
    return path


@pytest.mark.parametrize("suffix", [".json", ".npz", ".yml", ".xml"])
def test_calibration_files_of_all_kinds_are_read(suffix, tmp_path):
    fields = {
        "intrinsic_matrix": INTRINSICS,
        "distortion_coeffs": DISTORTION,
        "extrinsic_matrix": EXTRINSICS,
    }
    camera = read_camera(write(tmp_path / f"camera{suffix}", fields))
    np.testing.assert_allclose(camera.intrinsic_matrix, INTRINSICS)
    np.testing.assert_allclose(camera.distortion_coeffs, DISTORTION)
    np.testing.assert_allclose(camera.extrinsic_matrix, [*EXTRINSICS, [0, 0, 0, 1]])
    assert camera.frame == "world"


@pytest.mark.parametrize("suffix", [".npy", ".txt"])
def test_a_file_may_hold_a_single_matrix(suffix, tmp_path):
    camera = read_camera(write(tmp_path / f"k{suffix}", {"intrinsic_matrix": INTRINSICS}))
    np.testing.assert_allclose(camera.intrinsic_matrix, INTRINSICS)
    assert camera.frame == "camera" and not camera.distortion_coeffs.any()


def test_extrinsics_may_be_in_a_separate_file(tmp_path):
    (tmp_path / "e.json").write_text(json.dumps(EXTRINSICS))
    camera = read_camera(extrinsics=tmp_path / "e.json")
    # World x becomes camera y: (1, 0, 0) -> R (1, 0, 0) + t = (0, 1, 0) + (100, 200, 300).
    np.testing.assert_allclose(camera.to_camera_frame(np.array([1.0, 0, 0])), [100, 201, 300])
    np.testing.assert_allclose(camera.up_in_camera, [0, 0, -1])


def test_field_of_view_spans_the_longer_side():
    # tan(45 deg) = 1: the focal length is half of the longer side.
    camera = CameraChoice(fov_degrees=90.0)
    expected = [[500, 0, 500], [0, 500, 200], [0, 0, 1]]
    np.testing.assert_allclose(camera.intrinsics_for((400, 1000, 3)), expected)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"K": [[1.0, 0], [0, 1]]}, "must be"),
        ({"K": [[-9.0, 0, 1], [0, 9, 1], [0, 0, 1]]}, "positive focal lengths"),
        ({"K": [["a"]]}, "finite numbers"),
        ({"other": 1}, "has no intrinsic_matrix"),
        ({"K": INTRINSICS, "dist": [0.1] * 13}, "13 distortion coefficients"),
        ({"K": INTRINSICS, "extrinsic_matrix": np.ones([4, 4]).tolist()}, "rotation"),
    ],
)
def test_numbers_that_are_not_a_camera_are_rejected(fields, message, tmp_path):
    (tmp_path / "camera.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match=message):
        read_camera(tmp_path / "camera.json")


@pytest.mark.parametrize("suffix", [".json", ".npz", ".npy", ".yml", ".txt"])
@pytest.mark.parametrize("content", [None, b"\x00nonsense{"])
def test_unreadable_files_are_named(suffix, content, tmp_path):
    path = tmp_path / f"camera{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="camera"):
        read_camera(path)


def test_impossible_field_of_view_and_up_are_rejected():
    with pytest.raises(UserError, match="--fov"):
        read_camera(fov_degrees=180)
    with pytest.raises(UserError, match="--world_up"):
        read_camera(world_up=(0, 0, 0))
