from __future__ import annotations

import pytest

from metrabs.geometry import projection
from tests.golden.tolerances import assert_close


@pytest.fixture
def data(golden):
    return golden("train_projection")


def test_projection_matches_the_original(data):
    assert_close(projection.project(data["project_points"]), data["project_out"])
    assert_close(
        projection.project_pose(data["coords3d"], data["intrinsics"]), data["project_pose"]
    )


def test_back_projection_matches_the_original(data):
    rays = data["backproject_camcoords2d"]
    actual = projection.back_project(
        rays, data["backproject_delta_z"], data["backproject_z_offset"]
    )
    assert_close(actual, data["back_project"])
    assert_close(projection.to_homogeneous(rays), data["homogeneous"])


def test_point_combinations_match_the_original(data):
    encoded = projection.affine_combination(data["coords3d"], data["w1"])
    assert_close(encoded, data["encoded"])
    assert_close(projection.affine_combination(encoded, data["w2"]), data["autoencoded"])


def test_intrinsics_from_field_of_view_match_the_original(data):
    actual = projection.intrinsics_from_fov(data["fov_degrees"], data["fov_imshape"])
    assert_close(actual, data["fov_intrinsics"])
