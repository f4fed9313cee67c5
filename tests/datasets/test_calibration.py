from __future__ import annotations

import cv2
import numpy as np
import pytest

from metrabs.datasets.calibration import calibrated_camera, standard_coefficients

K = np.array([[900.0, 0, 500], [0, 910, 400], [0, 0, 1]])
VECTOR, TRANSLATION = np.array([0.2, -0.4, 0.1]), np.array([[100.0], [-50], [3000]])
POINTS = np.random.default_rng(0).uniform(-500, 500, (20, 3))


@pytest.mark.parametrize(
    "distortion", [None, [-0.2, 0.1], [-0.2, 0.1, 0.01, -0.02], [[-0.2, 0.1, 0.01, -0.02, 0.05]]]
)
@pytest.mark.parametrize("rotation", [VECTOR, VECTOR[:, np.newaxis], cv2.Rodrigues(VECTOR)[0]])
def test_projects_like_opencv(rotation, distortion):
    camera = calibrated_camera(K, rotation, TRANSLATION, distortion)
    lens = np.ravel(distortion) if distortion is not None else np.zeros(4)
    lens = np.pad(lens, (0, 5 - len(lens)))
    expected, _ = cv2.projectPoints(POINTS, VECTOR, TRANSLATION, K, lens)
    np.testing.assert_allclose(camera.world_to_image(POINTS), expected[:, 0], atol=0.02)


def test_without_extrinsics_world_and_camera_space_are_the_same():
    camera = calibrated_camera(K, world_up=(0, 0, 1))
    np.testing.assert_array_equal(camera.world_to_camera(POINTS), POINTS.astype(np.float32))
    np.testing.assert_array_equal(camera.world_up, [0, 0, 1])


def test_longer_lens_models_stay_as_they_are():
    np.testing.assert_array_equal(standard_coefficients(np.arange(8.0)), np.arange(8.0))
