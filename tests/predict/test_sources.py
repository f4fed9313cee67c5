from __future__ import annotations

import pathlib

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.predict.sources import Video, find_sources, read_ahead, read_image
from tests.predict.fakes import write_image, write_video


def test_folders_are_searched_at_any_depth_and_names_are_relative(tmp_path):
    for name in ("b.PNG", "a/c.jpg", "notes.txt", ".hidden.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a/clip.mp4").touch()
    found = [(source.name, source.is_video) for source in find_sources([tmp_path])]
    assert found == [("a/c.jpg", False), ("a/clip.mp4", True), ("b.PNG", False)]


def test_outputs_within_the_inputs_are_not_inputs(tmp_path):
    for name in ("photo.jpg", "results/photo.jpg.poses.jpg"):
        write_image(tmp_path / name, 9)
    assert [s.name for s in find_sources([tmp_path], tmp_path / "results")] == ["photo.jpg"]


@pytest.mark.parametrize("output", [".", "photos"])
def test_a_folder_within_the_outputs_is_rejected(output, tmp_path):
    write_image(tmp_path / "photos/photo.jpg", 9)
    with pytest.raises(UserError, match="lies in the folder of the results.*another --output"):
        find_sources([tmp_path / "photos"], tmp_path / output)
    single = find_sources([tmp_path / "photos/photo.jpg"], tmp_path / output)
    assert [source.name for source in single] == ["photo.jpg"]


def test_inputs_with_the_same_name_are_rejected(tmp_path):
    for name in ("a/photo.jpg", "b/photo.jpg"):
        write_image(tmp_path / name, 9)
    with pytest.raises(UserError, match="outputs of the same name"):
        find_sources([tmp_path / "a", tmp_path / "b"])
    assert len(find_sources([tmp_path / "a", tmp_path / "a/photo.jpg"])) == 1


def test_missing_and_empty_inputs_are_explained(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        find_sources([tmp_path / "missing"])
    with pytest.raises(UserError, match="no images or videos"):
        find_sources([tmp_path])


def test_image_is_read_as_rgb(tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "blue.png"), np.full([4, 6, 3], [255, 0, 0], np.uint8))
    frame = read_image(tmp_path / "blue.png")
    assert frame is not None and frame.image.shape == (4, 6, 3)
    assert frame.image[0, 0].tolist() == [0, 0, 255] and frame.time_s is None


@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_unreadable_images_are_none(content, tmp_path):
    path: pathlib.Path = tmp_path / "image.jpg"
    if content is not None:
        path.write_bytes(content)
    assert read_image(path) is None


def test_frames_of_a_video_have_index_and_time(tmp_path):
    write_video(tmp_path / "clip.avi", 5)
    video = Video(tmp_path / "clip.avi")
    assert (video.fps, video.num_frames) == (10, 5)
    problems: list[str] = []
    frames = list(video.frames(problems.append))
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4] and problems == []
    assert frames[3].time_s == pytest.approx(0.3)
    assert abs(frames[3].image.mean() - 70) < 3


def test_video_that_ends_early_is_reported(tmp_path):
    write_video(tmp_path / "clip.avi", 40, (320, 240))
    content = (tmp_path / "clip.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    problems: list[str] = []
    video = Video(tmp_path / "cut.avi")
    frames = list(video.frames(problems.append))
    assert 10 < len(frames) < 40
    assert len(frames) == video.num_frames or "unreadable" in problems[0]


def test_file_that_is_not_a_video_is_explained(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"nonsense" * 99)
    with pytest.raises(UserError, match="cannot be read as a video"):
        Video(tmp_path / "clip.mp4")


@pytest.mark.parametrize("num_ahead", [1, 3, 99])
def test_reading_ahead_keeps_items_and_order(num_ahead):
    assert list(read_ahead(iter(range(10)), num_ahead)) == list(range(10))
    assert list(read_ahead([], num_ahead)) == []


def test_reading_ahead_is_bounded_and_stops_with_its_consumer():
    taken = []

    def items():
        for i in range(1000):
            taken.append(i)
            yield i

    stream = read_ahead(items(), 2)
    assert [next(stream), next(stream)] == [0, 1]
    stream.close()
    assert len(taken) <= 5


def test_errors_while_reading_ahead_are_raised_in_place_of_the_item():
    def items():
        yield 1
        raise UserError("damaged")

    stream = read_ahead(items(), 5)
    assert next(stream) == 1
    with pytest.raises(UserError, match="damaged"):
        next(stream)
