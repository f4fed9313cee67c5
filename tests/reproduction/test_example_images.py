"""Photographs and a rendered scene are gathered in one folder."""

from __future__ import annotations

import pathlib

import cv2
import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.reproduction.example_images import collect_example_images

_PHOTO = pathlib.Path(__file__).parents[2] / "examples" / "photos" / "park.jpg"


def test_photos_are_copied_and_a_scene_is_rendered(tmp_path: pathlib.Path) -> None:
    paths = collect_example_images([_PHOTO, _PHOTO], tmp_path, seed=1)
    names = [path.name for path in paths]
    assert names[:2] == ["0_park.jpg", "1_park.jpg"] and names[-1] == "rendered_scene.png"
    assert paths[0].read_bytes() == _PHOTO.read_bytes()
    scene = cv2.imread(str(paths[-1]))
    assert scene.shape == (480, 640, 3)
    assert {path.parent for path in paths} == {tmp_path / "images"}


def test_the_scene_depends_on_the_seed(tmp_path: pathlib.Path) -> None:
    scenes = []
    for seed in (1, 1, 2):
        scenes.append(cv2.imread(str(collect_example_images([], tmp_path, seed)[-1])))
    np.testing.assert_array_equal(scenes[0], scenes[1])
    assert (scenes[0] != scenes[2]).any()


def test_unreadable_photos_are_rejected(tmp_path: pathlib.Path) -> None:
    (tmp_path / "photo.jpg").write_text("not an image")
    with pytest.raises(UserError, match="photo.jpg' cannot be read as an image"):
        collect_example_images([tmp_path / "photo.jpg"], tmp_path, seed=1)
