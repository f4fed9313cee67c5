from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import tensorflow as tf

from metrabs.estimator import test_time_augmentation, warping
from metrabs.geometry import distortion_tf, projection, rotations
from tests.estimator.fakes import fake_crop_model
from tests.estimator.golden_cases import augmented_cameras, camera_of_case
from tests.golden.tolerances import assert_close as assert_close_to_bound

# Tolerances of the golden files for geometry.
assert_close = functools.partial(assert_close_to_bound, rtol=1e-5, atol=1e-5)

_MODES = {"rot360": "full", "rot360half": "half_full"}


@pytest.fixture
def data(golden):
    return golden("infer_geometry")


def _names(data, pattern):
    matches = (re.fullmatch(pattern, key) for key in data)
    return sorted({match.group(1) for match in matches if match})


def test_fake_crop_model_is_the_one_of_the_golden_numbers(data, golden):
    common = golden("infer_common")
    images = common["images"]
    crops = [images[0][:256, :256], images[1][100:356, 200:456], images[2][200:456, 300:556]]
    crops = (np.stack(crops) / 255).astype(np.float16)
    model = fake_crop_model(common)
    poses = model.predict_multi(crops, data["crop_model/intrinsics"])
    assert_close(poses, data["crop_model/poses"], atol=0.01)


def test_cameras_from_field_of_view_match_the_original(data):
    for name in _names(data, "intrinsics_fov/(.*)"):
        fov, height, width = map(int, re.split("[_x]", name))
        actual = projection.intrinsics_from_fov(fov, [height, width])
        assert_close(actual, data[f"intrinsics_fov/{name}"])


def test_rotations_match_the_original(data):
    actual = rotations.look_at_rotation(data["rotation/forward"], data["rotation/up"])
    defined = np.isfinite(data["rotation/R"]).all(axis=(1, 2))
    assert_close(actual.numpy()[defined], data["rotation/R"][defined])
    assert np.isfinite(actual).all()
    assert_close(rotations.rotation_about_z(data["rotation_z/angles"]), data["rotation_z/R"])


def test_corner_aligned_scaling_matches_the_original(data):
    for name in _names(data, "corner_aligned/(.*)"):
        factor = 1 / 3 if name == "0.3333" else float(name)
        actual = projection.corner_aligned_scaling(factor)
        assert_close(actual, data[f"corner_aligned/{name}"])


def test_lens_distortion_matches_the_original(data, golden):
    points, common = data["distort/points"], golden("infer_common")
    for name in _names(data, r"distort/(d\d+)"):
        one_row = np.zeros(5, np.float32) if name == "d0" else common[name.upper()]
        coeffs = np.array([[1.0], [0.5], [0.0]], np.float32) * one_row
        assert_close(distortion_tf.distort_points(points, coeffs), data[f"distort/{name}"])
        assert_close(distortion_tf.undistort_points(points, coeffs), data[f"undistort/{name}"])
        terms = distortion_tf.distortion_terms(points, coeffs)
        for term, part in zip(terms, "abc"):
            assert_close(term, data[f"distort_parts/{name}/{part}"])


def test_pyramid_levels_match_the_original(data):
    actual = warping.choose_levels(data["pyramid/scales"])
    assert actual.numpy().tolist() == data["pyramid/levels"].tolist()


def test_spacing_matches_the_original(data):
    for num in map(int, _names(data, r"linspace/endpoint_(\d+)")):
        closed = test_time_augmentation.linspace_closed(0.8, 1.0, num)
        assert_close(closed, data[f"linspace/endpoint_{num}"])
        opened = test_time_augmentation.linspace_open(0.8, 1.0, num)
        assert_close(opened, data[f"linspace/noend_{num}"])


def test_augmentations_match_the_original(data):
    make = tf.function(
        test_time_augmentation.make_augmentations, reduce_retracing=True, autograph=False
    )
    for name in _names(data, r"tta/(\w+/\d+)/gammas"):
        mode, num_aug = name.split("/")
        degrees = 10.0 if mode == "rot10" else 25.0
        actual = make(tf.constant(int(num_aug)), degrees, _MODES.get(mode, "normal"))
        assert_close(actual.gammas, data[f"tta/{name}/gammas"])
        assert_close(actual.rotflips, data[f"tta/{name}/rotflip"])
        assert_close(actual.scales, data[f"tta/{name}/scales"])
        assert actual.is_flipped.numpy().tolist() == data[f"tta/{name}/flip"].tolist()


def test_virtual_cameras_match_the_original(data, golden):
    common = golden("infer_common")
    for name in _names(data, r"box/([^/]+/aug\d+)/new_K"):
        camera_name, aug_name = name.split("/")
        inputs, box_cameras, cameras = augmented_cameras(camera_name, int(aug_name[3:]), common)
        prefix = f"box/{camera_name}"
        assert_close(inputs.up_cam[0], data[f"{prefix}/camspace_up"])
        assert_close(box_cameras.rotations, data[f"{prefix}/R_noaug"])
        assert_close(box_cameras.box_scales, data[f"{prefix}/box_scales"])
        assert box_cameras.is_valid.numpy().all()
        assert_close(cameras.intrinsics, data[f"{prefix}/{aug_name}/new_K"])
        assert_close(cameras.rotations, data[f"{prefix}/{aug_name}/R"])
        assert_close(cameras.scales, data[f"{prefix}/{aug_name}/crop_scales"])
        levels = warping.choose_levels(cameras.scales)
        assert levels.numpy().tolist() == data[f"{prefix}/{aug_name}/levels"].tolist()
        _check_homographies(cameras, levels, inputs, data[f"{prefix}/{aug_name}/homography"])


def _check_homographies(cameras, levels, inputs, expected):
    shrinking = projection.corner_aligned_scaling(0.5 ** tf.cast(levels, tf.float32))
    level_intrinsics = projection.matrix_product(shrinking, inputs.intrinsics)
    actual = projection.matrix_product(level_intrinsics, cameras.inverse_projections).numpy()
    assert_close(actual / actual[..., 2:, 2:], expected, rtol=1e-3)


def test_camera_of_a_case_is_read_from_its_name(golden):
    camera = camera_of_case("K1_E1_d12", golden("infer_common"))
    assert camera["distortion_coeffs"].shape == (12,)
