from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from metrabs.predict.cameras import CameraChoice
from metrabs.predict.overlay import draw_overlay, space_of_frames
from tests.predict.fakes import SKELETON, frame_poses

CAMERA = CameraChoice()


@pytest.mark.parametrize("size_wh", [(64, 48), (801, 603), (3001, 1003), (48, 640)])
def test_overlays_have_even_sides_and_display_size(size_wh):
    image = np.zeros([size_wh[1], size_wh[0], 3], np.uint8)
    poses = frame_poses(2)
    overlay = draw_overlay(image, poses, SKELETON, CAMERA, space_of_frames([poses], CAMERA))
    height, width = overlay.shape[:2]
    assert height % 2 == 0 and width % 2 == 0
    assert 700 <= max(height, width - height // 2) <= 1604
    assert not np.array_equal(
        overlay[:, : width - height // 2], 0 * overlay[:, : width - height // 2]
    )


def test_image_without_people_is_shown_unchanged():
    image = np.full([720, 960, 3], 77, np.uint8)
    nobody = frame_poses(0)
    overlay = draw_overlay(image, nobody, SKELETON, CAMERA, space_of_frames([nobody], CAMERA))
    np.testing.assert_array_equal(overlay[:, :960], image)


def test_skeletons_are_drawn_where_the_joints_are():
    image = np.zeros([720, 720, 3], np.uint8)
    poses = dataclasses.replace(
        frame_poses(1),
        poses2d_px=np.array([[[500.0, 600], [450, 600], [550, 600]]]),
        boxes_ltwh_px=np.zeros([1, 4]),
    )
    overlay = draw_overlay(image, poses, SKELETON, CAMERA, space_of_frames([poses], CAMERA))
    rows, columns = np.nonzero(overlay[100:, :720].max(axis=-1) > 150)
    assert abs(rows.mean() + 100 - 600) < 3 and abs(columns.mean() - 500) < 3


def test_views_show_the_camera_frame_for_poses_in_any_frame():
    world_to_camera = np.array([[0.0, 1, 0, 5], [0, 0, -1, 7], [-1, 0, 0, 9], [0, 0, 0, 1]])
    world = CameraChoice(extrinsic_matrix=world_to_camera, world_up=(0.0, 0.0, 1.0))
    poses_cam = frame_poses(2)
    rotation, translation = world_to_camera[:3, :3], world_to_camera[:3, 3]
    poses_world = dataclasses.replace(
        poses_cam, poses3d_mm=(poses_cam.poses3d_mm - translation) @ rotation
    )
    spaces = [space_of_frames([p], c) for p, c in ((poses_cam, CAMERA), (poses_world, world))]
    np.testing.assert_allclose(spaces[0].low, spaces[1].low, atol=1e-6)
    np.testing.assert_allclose(spaces[0].high, spaces[1].high, atol=1e-6)


def test_people_far_in_the_background_do_not_shrink_the_others():
    near = frame_poses(1)
    far = dataclasses.replace(near, poses3d_mm=near.poses3d_mm + [0, 0, 20000])
    both = dataclasses.replace(near, poses3d_mm=np.concatenate([near.poses3d_mm, far.poses3d_mm]))
    alone, together = (space_of_frames([p], CAMERA) for p in (near, both))
    np.testing.assert_allclose(alone.high, together.high)
