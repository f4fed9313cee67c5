from __future__ import annotations

import pickle

import numpy as np
import pytest

from metrabs.datasets import three_dpw
from metrabs.errors import UserError
from tests.data_preparation.fakes import tdpw as fake


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    fake.make_tdpw(root)
    return root / three_dpw.FOLDER


def test_videos_are_listed_by_split(folder):
    assert three_dpw.list_videos(folder, "validation") == ["walk_validation_00"]


def test_joints_are_in_world_and_camera_space(folder):
    video = three_dpw.read_video(folder, "train", "walk_train_00")
    np.testing.assert_allclose(video.joints_world_mm[1, 2], fake.joints_mm(1, 2), atol=1e-6)
    np.testing.assert_allclose(
        video.joints_cam_mm[1, 2], fake.camera(2).world_to_camera(fake.joints_mm(1, 2)), atol=0.01
    )


def test_says_where_cameras_and_people_are_unknown(folder):
    video = three_dpw.read_video(folder, "train", "walk_train_00")
    np.testing.assert_array_equal(video.has_camera_pose, [[True, False, True]] * 2)
    np.testing.assert_array_equal(video.is_visible, [[True] * 3, [True, True, False]])


def test_rejects_a_file_without_an_array(tmp_path):
    path = tmp_path / "sequenceFiles" / "test" / "a.pkl"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps({"jointPositions": np.zeros((1, 1, 72))}))
    with pytest.raises(UserError, match="a.pkl.*3DPW annotation file with jointPositions"):
        three_dpw.read_video(tmp_path, "test", "a")
