from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.predict.given_boxes import GivenBoxes
from metrabs.predict.sources import Frame, Source

IMAGE = np.zeros([4, 4, 3], np.uint8)


def source(name):
    return Source(pathlib.Path(name), name, name.endswith(".mp4"))


def test_boxes_belong_to_a_name_and_a_frame(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text('{"a/b.jpg": [[1, 2, 3, 4]], "clip.mp4": {"7": [[5, 6, 7, 8]], "8": []}}')
    boxes = GivenBoxes(path)
    photo, clip = source("a/b.jpg"), source("clip.mp4")
    np.testing.assert_array_equal(boxes.of(photo, Frame(IMAGE)), [[1, 2, 3, 4]])
    np.testing.assert_array_equal(boxes.of(clip, Frame(IMAGE, 7)), [[5, 6, 7, 8]])
    for frame in (8, 9):
        assert boxes.of(clip, Frame(IMAGE, frame)).shape == (0, 4)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        '{"a": [[1, 2, 3]]}',
        '{"a": [[1, 2, 0, 4]]}',
        '{"a": {"x": []}}',
        '{"a": [[1, 2, 3, "b"]]}',
    ],
)
def test_other_content_is_rejected(text, tmp_path):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(UserError, match="boxes.json.* expected JSON"):
        GivenBoxes(tmp_path / "boxes.json")


def test_boxes_of_other_inputs_are_rejected(tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"photo.jpg": []}))
    boxes, name = GivenBoxes(path), "folder/photo.jpg"
    boxes.check_names([source(name), source("photo.jpg")])
    with pytest.raises(UserError, match="it names 'photo.jpg', and the inputs are 'folder/photo"):
        boxes.check_names([source(name)])
    with pytest.raises(UserError, match="inputs are '0', '1', '2', ...[.]$"):
        boxes.check_names([source(str(i)) for i in range(9)])
