from __future__ import annotations

import h5py
import numpy as np
import pytest

from metrabs.datasets import mpi_inf_3dhp
from metrabs.errors import UserError
from tests.data_preparation.fakes import tdhp as fake


def test_scenes_come_in_pairs_of_subjects():
    scenes = [mpi_inf_3dhp.scene_of(subject) for subject in range(1, 7)]
    assert scenes == ["green-screen"] * 2 + ["no-green-screen"] * 2 + ["outdoor"] * 2


def test_test_cameras_are_upright():
    for number in (1, 5):
        camera = mpi_inf_3dhp.camera_of(number)
        assert np.linalg.det(camera.R) == pytest.approx(1, abs=1e-5)
        assert camera.R[1] @ camera.world_up < -0.9  # y of the image points down


@pytest.mark.parametrize(
    ("number", "expected", "center_of_original"),
    [
        # (5 mm + 0.0929296 mm) * 204.8 px/mm, and (2.8125 mm + 0.104899704 mm) * 192 px/mm
        (1, (1500.172288, 1500.832364, 1017.387336, 1043.031982), 1043.490916),
        (5, (1683.983460, 1672.593708, 939.857540, 560.140743), 556.352188),
    ],
)
def test_intrinsics_of_test_cameras_follow_from_sensor_and_lens(
    number, expected, center_of_original
):
    matrix = mpi_inf_3dhp.camera_of(number, aspect_scales_center=True).intrinsic_matrix
    expected_of_original = [*expected[:3], center_of_original]
    np.testing.assert_allclose(matrix[[0, 1, 0, 1], [0, 1, 2, 2]], expected_of_original, rtol=1e-6)
    matrix = mpi_inf_3dhp.camera_of(number).intrinsic_matrix
    np.testing.assert_allclose(matrix[[0, 1, 0, 1], [0, 1, 2, 2]], expected, rtol=1e-6)


def test_an_unknown_activity_code_is_an_error(tmp_path):
    fake.write_test_sequence(tmp_path / "TS1", 1, with_images=False)
    path = tmp_path / "TS1" / "annot_data.mat"
    with h5py.File(path, "a") as file:
        file["activity_annotation"][0] = 0
    with pytest.raises(UserError, match="annot_data.mat' is not a test annotation"):
        mpi_inf_3dhp.read_test_frames(path)
