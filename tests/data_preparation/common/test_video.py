from __future__ import annotations

import cv2
import numpy as np
import pytest

from data_preparation.common.video import read_frames
from metrabs.errors import UserError
from tests.data_preparation.fakes.toolkit import write_video
from tests.video_files import number_of, turn_when_shown
from tests.video_files import write_video as write_clip

NUM_FRAMES = 40


def frame(index):
    """Frame i has brightness 3 i in red and a pattern that makes the file large."""
    image = np.random.default_rng(index).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    image[:16, :16] = (3 * index, 0, 255)
    return image


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "a.avi"
    write_video(path, (frame(i) for i in range(NUM_FRAMES)))
    return path


def test_all_frames_come_in_order_as_rgb(video):
    frames = list(read_frames(video))
    assert [index for index, _ in frames] == list(range(NUM_FRAMES))
    for index, image in frames:
        np.testing.assert_array_equal(image, frame(index))


def test_wanted_frames_are_the_right_ones(video):
    wanted = {0, 7, 8, 31}
    frames = dict(read_frames(video, wanted))
    assert list(frames) == sorted(wanted)
    for index, image in frames.items():
        np.testing.assert_array_equal(image, frame(index))


def test_frames_are_exact_between_key_frames(tmp_path):
    path = tmp_path / "a.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 50, (96, 64))
    for i in range(NUM_FRAMES):  # the number of the frame in binary digits, as wide stripes
        digits = [255 * (i >> digit & 1) for digit in range(6)]
        row = np.repeat(np.array(digits, np.uint8), 16)
        writer.write(np.broadcast_to(row[:, np.newaxis], (64, 96, 3)).copy())
    writer.release()
    for index, image in read_frames(path, range(0, NUM_FRAMES, 3)):
        digits = image[:, 8::16].mean(axis=(0, 2)) > 127
        assert (digits * 2 ** np.arange(6)).sum() == index


def test_missing_and_foreign_files_are_named(tmp_path):
    with pytest.raises(UserError, match="none.avi' does not exist"):
        next(read_frames(tmp_path / "none.avi"))
    (tmp_path / "text.avi").write_text("not a video")
    with pytest.raises(UserError, match="text.avi' cannot be read as a video"):
        next(read_frames(tmp_path / "text.avi"))


@pytest.mark.parametrize("cut", ["end", "middle"])
def test_lost_frames_are_noticed_wherever_they_are(tmp_path, video, cut):
    data = bytearray(video.read_bytes())
    middle = len(data) // 2
    if cut == "end":
        del data[middle:]
    else:
        data[middle : middle + 60000] = bytes(60000)  # some three frames
    path = tmp_path / "damaged.avi"
    path.write_bytes(data)
    with pytest.raises(UserError, match="damaged.avi' is damaged: "):
        list(read_frames(path, {0, 1}))


def test_intact_containers_that_announce_too_much_are_not_damaged(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [40 * i for i in range(20)], sound_seconds=5.0)
    assert len(list(read_frames(path))) == 20


def test_frames_are_left_as_stored(tmp_path):
    path = turn_when_shown(write_clip(tmp_path / "a.mp4", [0, 40, 80]), 90)
    assert {image.shape for _, image in read_frames(path)} == {(48, 64, 3)}


def test_a_forced_rate_repeats_frames(tmp_path):
    path = write_clip(tmp_path / "a.mkv", [0, 40, 80, 200, 240])
    numbers = [number_of(image) for _, image in read_frames(path, fps=25)]
    assert numbers == [0, 1, 2, 2, 2, 3, 4]


def test_an_intact_video_may_be_a_little_shorter_than_its_annotation(video):
    wanted = {3, NUM_FRAMES + 1}
    assert [index for index, _ in read_frames(video, wanted, tolerated_shortage=2)] == [3]
    with pytest.raises(UserError, match=f"has {NUM_FRAMES} frames, but frame 41 is annotated"):
        list(read_frames(video, wanted, tolerated_shortage=1))
