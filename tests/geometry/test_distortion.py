"""Lens models: undistortion inverts distortion, and OpenCV agrees with the formulas."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from metrabs.geometry import distortion

MODELS = [
    (0.02, 0.01, -0.003, 0.001),
    (-0.1, 0.05, 0.001, -0.002, -0.01),
    (-0.1, 0.05, 0.001, -0.002, -0.01, 0.02, 0.01),
    (0.05, 0.02, 0.001, -0.002, 0.01, 0.02, 0.01, 0.003, 0.001, 0.002, -0.001, 0.001),
]


@pytest.fixture
def points():
    return np.random.default_rng(0).uniform(-0.4, 0.4, (50, 2))


@pytest.mark.parametrize("coefficients", MODELS)
def test_distortion_agrees_with_opencv(coefficients, points):
    checked = distortion.validate_coefficients(coefficients)
    if distortion.is_fisheye(checked):
        expected = cv2.fisheye.distortPoints(points[:, np.newaxis], np.eye(3), checked)[:, 0]
    else:
        homogeneous = np.concatenate([points, np.ones((50, 1))], axis=1)
        padded = np.pad(checked, (0, 12 - len(checked)))
        expected = cv2.projectPoints(homogeneous, np.zeros(3), np.zeros(3), np.eye(3), padded)[0][
            :, 0
        ]
    np.testing.assert_allclose(distortion.distort(points, checked), expected, atol=1e-6)


@pytest.mark.parametrize("coefficients", MODELS)
def test_undistortion_inverts_distortion(coefficients, points):
    checked = distortion.validate_coefficients(coefficients)
    distorted = distortion.distort(points, checked)
    np.testing.assert_allclose(distortion.undistort(distorted, checked), points, atol=1e-3)


@pytest.mark.parametrize("coefficients", MODELS)
def test_undistortion_maps_hold_the_distorted_rays(coefficients):
    checked = distortion.validate_coefficients(coefficients)
    matrix = np.array([[20, 0, 7.5], [0, 21, 5], [0, 0, 1.0]])
    turn = cv2.Rodrigues(np.array([0.1, -0.2, 0.05]))[0]
    maps = np.stack(distortion.undistortion_maps(checked, turn, matrix, (16, 11)), axis=-1)
    grid = np.stack(np.meshgrid(np.arange(16), np.arange(11), [1.0]), axis=-1).reshape(-1, 3)
    rays = grid @ np.linalg.inv(matrix).T @ turn
    expected = distortion.distort(rays[:, :2] / rays[:, 2:], checked)
    assert maps.shape == (11, 16, 2)
    np.testing.assert_allclose(maps.reshape(-1, 2), expected, atol=1e-5)
