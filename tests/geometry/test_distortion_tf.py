from __future__ import annotations

import cv2
import numpy as np
import pytest
import tensorflow as tf

from metrabs.errors import UserError
from metrabs.geometry.distortion_tf import distort_points, distortion_terms, undistort_points
from tests.geometry.run_modes import in_all_run_modes
from tests.golden.tolerances import assert_close

COEFFS = np.array(
    [[-0.2, 0.08, 1e-3, -2e-3, 0.01, 0.02, 0.01, -0.005, 1e-3, 2e-4, -5e-4, 1e-4]], np.float32
)


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-0.5, 0.5, (2, 5, 3, 2)).astype(np.float32)


@in_all_run_modes
def test_undistortion_undoes_distortion(wrap, points):
    round_trip = wrap(lambda p: undistort_points(distort_points(p, COEFFS), COEFFS))
    assert_close(round_trip(tf.constant(points)), points, rtol=1e-3)


@pytest.mark.parametrize("num_coeffs", [4, 5, 8, 12])
def test_distortion_is_the_one_of_opencv(points, num_coeffs):
    coeffs = COEFFS[:, :num_coeffs]
    rays = np.concatenate([points.reshape(-1, 2), np.ones([30, 1])], axis=1)
    expected, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), np.eye(3), coeffs[0])
    assert_close(distort_points(points, coeffs).numpy().reshape(-1, 2), expected[:, 0])


@pytest.mark.parametrize("num_coeffs", [0, 5, 12])
def test_zero_coefficients_change_nothing(points, num_coeffs):
    zeros = np.zeros([2, num_coeffs], np.float32)
    assert np.array_equal(distort_points(points, zeros), points)
    assert np.array_equal(undistort_points(points, zeros), points)


def test_every_example_has_its_own_lens(points):
    coeffs = np.concatenate([COEFFS, np.zeros_like(COEFFS)])
    distorted = distort_points(points, coeffs)
    assert_close(distorted[:1], distort_points(points[:1], COEFFS))
    assert np.array_equal(distorted[1], points[1])


def test_too_many_coefficients_are_refused(points):
    with pytest.raises(UserError, match="14 lens distortion coefficients"):
        distort_points(points, np.zeros([1, 14], np.float32))


def test_distortion_matches_the_original(golden):
    data, cameras = golden("infer_geometry"), golden("infer_common")
    points = data["distort/points"]
    names = [key.split("/")[1] for key in data if key.startswith("distort/d")]
    assert names
    for name in names:
        coeffs = cameras.get(name.upper(), np.zeros(0, np.float32))
        coeffs = np.stack([coeffs, coeffs / 2, coeffs * 0])
        assert_close(distort_points(points, coeffs), data[f"distort/{name}"])
        assert_close(undistort_points(points, coeffs), data[f"undistort/{name}"])
        for part, actual in zip("abc", distortion_terms(points, coeffs)):
            expected = data[f"distort_parts/{name}/{part}"]
            assert_close(actual + np.zeros_like(expected), expected, atol=1e-7)
