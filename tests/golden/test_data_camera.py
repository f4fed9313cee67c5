"""Camera maps, operations and reprojection against numbers of the original implementation."""

from __future__ import annotations

import numpy as np
import pytest

from metrabs.geometry import reprojection
from metrabs.geometry.camera import Camera
from tests.golden.tolerances import assert_close

# The original turns towards a target through float32 world points, up to 1e-4 rad off (see
# Camera.turn_towards); all later results inherit the error.
ROTATION_ATOL = 1.5e-4
REPROJECTION_ATOL_PX = 0.15
OPERATIONS = {
    "turn_towards": lambda camera, a, target: camera.turn_towards(target_image_point=target),
    "undistort": lambda camera, a, target: camera.undistort(),
    "square_pixels": lambda camera, a, target: camera.square_pixels(),
    "zoom": lambda camera, a, target: camera.zoom(a[0]),
    "center_principal_point": lambda camera, a, _: camera.center_principal_point((96, 128)),
    "rotate": lambda camera, a, target: camera.rotate(yaw=a[1], pitch=a[2], roll=a[3]),
    "horizontal_flip": lambda camera, a, target: camera.horizontal_flip(),
    "shift_to_center": lambda camera, a, target: camera.shift_to_center(a[4:6], (96, 128)),
    "shift_image": lambda camera, a, target: camera.shift_image(a[6:8]),
    "scale_output": lambda camera, a, target: camera.scale_output(a[8]),
}


def read_camera(numbers, prefix):
    distortion = numbers[f"{prefix}dist"]
    return Camera(
        optical_center=numbers[f"{prefix}t"],
        rot_world_to_cam=numbers[f"{prefix}R"],
        intrinsic_matrix=numbers[f"{prefix}K"],
        distortion_coeffs=distortion if distortion.size else None,
        world_up=numbers[f"{prefix}up"],
    )


@pytest.fixture
def cases(golden):
    numbers = golden("data_camera")
    prefixes = sorted({"/".join(key.split("/")[:2]) + "/" for key in numbers if "w2i/" in key})
    assert prefixes
    return [
        (
            read_camera(numbers, prefix),
            {key[len(prefix) :]: value for key, value in numbers.items() if prefix in key},
        )
        for prefix in prefixes
    ]


def test_point_maps(cases):
    for camera, numbers in cases:
        assert_close(camera.world_to_camera(numbers["world"]), numbers["cam"])
        assert_close(camera.world_to_image(numbers["world"]), numbers["image"])
        assert_close(camera.camera_to_image(numbers["cam"]), numbers["image"])
        assert_close(camera.image_to_camera(numbers["image"]), numbers["back_cam_depth1"])
        assert_close(
            camera.image_to_world(numbers["image"], 2000), numbers["back_world_depth2000"]
        )
        visible = camera.is_visible(numbers["world"], (160, 120))
        np.testing.assert_array_equal(visible, numbers["visible"])
        assert camera.get_fov((120, 160)) == pytest.approx(float(numbers["fov"]), rel=1e-6)


def test_operations(cases):
    for camera, numbers in cases:
        changed = camera.copy()
        steps = zip(numbers["seq_names"], numbers["seq_R"], numbers["seq_K"])
        for name, rotation, intrinsics in steps:
            OPERATIONS[str(name)](changed, numbers["args"], numbers["target"])
            assert_close(changed.R, rotation, rtol=0, atol=ROTATION_ATOL)
            assert_close(changed.intrinsic_matrix, intrinsics, rtol=1e-6)
        reprojected = reprojection.reproject_image_points(numbers["pts"], camera, changed)
        assert_close(reprojected, numbers["pts_reproj"], rtol=1e-4, atol=REPROJECTION_ATOL_PX)
        for key, function in (
            ("box_corners", reprojection.reproject_box_corners),
            ("box_mid", reprojection.reproject_box_side_midpoints),
            ("box_both", reprojection.reproject_box),
        ):
            box = function(numbers["box"], camera, changed)
            assert_close(box, numbers[key], rtol=1e-3, atol=REPROJECTION_ATOL_PX)


def test_reset_roll_and_orbits(cases):
    for camera, numbers in cases:
        assert_close(camera.copy().rotate(roll=0.3).reset_roll().R, numbers["reset_roll_R"], 1e-6)
        for key, axis in (("orbit", "vertical"), ("orbith", "horizontal")):
            moved = camera.orbit_around((10, 20, 30), 0.5, axis, inplace=False)
            assert_close(moved.R, numbers[f"{key}_R"], 1e-6)
            assert_close(moved.t, numbers[f"{key}_t"], 1e-6)


def test_factories(golden):
    numbers = golden("data_camera")
    for prefix, camera in (
        ("from_fov/", Camera.from_fov(55, (120, 160))),
        ("create2D/", Camera.create2D((120, 160))),
    ):
        expected = read_camera(numbers, prefix)
        assert camera.allclose(expected)
        np.testing.assert_array_equal(camera.world_up, expected.world_up)
