"""Videos are read as players show them, with the time stamps of the file."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import pytest

from metrabs.errors import UserError
from metrabs.videos import VideoFrame, VideoReader, resample
from tests.video_files import (
    HEIGHT,
    WIDTH,
    number_of,
    numbered_frame,
    turn_when_shown,
    write_video,
)

_REGULAR = [40 * i for i in range(20)]
_IRREGULAR = [40 * i for i in range(10)] + [400 + 250 * i for i in range(10)]


def _frames(path: pathlib.Path, **options: bool) -> tuple[list[VideoFrame], list[str]]:
    messages: list[str] = []
    return list(VideoReader(path, **options).frames(messages.append)), messages


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "mts"])
def test_all_frames_are_read_in_order(suffix: str, tmp_path: pathlib.Path) -> None:
    frames, messages = _frames(write_video(tmp_path / f"clip.{suffix}", _REGULAR))
    assert [number_of(frame.image) for frame in frames] == list(range(20))
    assert [frame.index for frame in frames] == list(range(20))
    assert not messages


def test_colors_are_those_that_were_written(tmp_path: pathlib.Path) -> None:
    frames, _ = _frames(write_video(tmp_path / "clip.mp4", _REGULAR))
    difference = frames[5].image.astype(int) - numbered_frame(5)
    assert np.abs(difference).mean() < 4


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_times_are_the_stamps_of_the_file_even_if_irregular(
    suffix: str, tmp_path: pathlib.Path
) -> None:
    frames, _ = _frames(write_video(tmp_path / f"clip.{suffix}", _IRREGULAR))
    times_s = [frame.time_s for frame in frames]
    np.testing.assert_allclose(times_s, np.array(_IRREGULAR) / 1000, atol=0.0011)


def test_time_starts_with_the_first_frame(tmp_path: pathlib.Path) -> None:
    late = [2000 + time_ms for time_ms in _REGULAR]
    frames, messages = _frames(write_video(tmp_path / "late.mkv", late))
    assert frames[0].time_s == 0
    assert len(frames) == 20
    assert not messages


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_sound_that_is_longer_than_the_video_is_no_damage(
    suffix: str, tmp_path: pathlib.Path
) -> None:
    path = write_video(tmp_path / f"clip.{suffix}", _REGULAR, sound_seconds=5.0)
    frames, messages = _frames(path)
    assert len(frames) == 20
    assert not messages


@pytest.mark.parametrize("degrees, quarter_turns", [(0, 0), (90, -1), (180, 2), (270, 1)])
def test_frames_are_turned_as_players_do(
    degrees: int, quarter_turns: int, tmp_path: pathlib.Path
) -> None:
    plain, _ = _frames(write_video(tmp_path / "plain.mp4", _REGULAR))
    path = turn_when_shown(write_video(tmp_path / "turned.mp4", _REGULAR), degrees)
    turned, _ = _frames(path)
    np.testing.assert_array_equal(turned[3].image, np.rot90(plain[3].image, quarter_turns))


def test_frames_are_left_as_stored_where_annotations_refer_to_that(tmp_path: pathlib.Path) -> None:
    path = turn_when_shown(write_video(tmp_path / "turned.mp4", _REGULAR), 90)
    frames, _ = _frames(path, upright=False)
    assert frames[0].image.shape == (HEIGHT, WIDTH, 3)


def test_the_first_frames_of_a_video_that_was_cut_off_are_read(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "clip.mkv", [40 * i for i in range(200)])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    frames, _ = _frames(path)
    assert 0 < len(frames) < 200
    assert [number_of(frame.image) for frame in frames[:5]] == list(range(5))


def test_an_mp4_file_whose_index_lists_more_than_there_is_ends_early(
    tmp_path: pathlib.Path,
) -> None:
    path = write_video(tmp_path / "clip.mov", _REGULAR)
    content = path.read_bytes()
    frame_bytes = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    kept = frame_bytes + (end - frame_bytes) // 2
    path.write_bytes(content[:kept] + b"\xff" * (end - kept) + content[end:])
    frames, messages = _frames(path)
    assert messages
    assert all(str(path) in message for message in messages)
    assert len(frames) <= 20


def test_names_may_hold_bytes_that_are_not_utf8(tmp_path: pathlib.Path) -> None:
    path = write_video(tmp_path / "clip.mp4", _REGULAR)
    odd = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    os.rename(path, odd)
    frames, _ = _frames(pathlib.Path(os.fsdecode(odd)))
    assert len(frames) == 20


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\0" * 5000])
def test_what_is_not_a_video_is_one_clear_line(content: bytes, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as a video") as error:
        VideoReader(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(UserError, match="nothing.mp4' does not exist"):
        VideoReader(tmp_path / "nothing.mp4")


def _frame(index: int, time_s: float) -> VideoFrame:
    return VideoFrame(index, time_s, lambda: np.full([1, 1, 3], index, np.uint8))


def test_a_constant_rate_repeats_and_leaves_out_frames() -> None:
    frames = [_frame(0, 0.0), _frame(1, 0.1), _frame(2, 0.5), _frame(3, 0.52), _frame(4, 0.6)]
    resampled = list(resample(iter(frames), fps=10.0))
    assert [int(frame.image[0, 0, 0]) for frame in resampled] == [0, 1, 1, 1, 1, 3, 4]
    np.testing.assert_allclose([frame.time_s for frame in resampled], np.arange(7) / 10)


def test_a_rate_that_is_the_own_one_changes_nothing() -> None:
    frames = [_frame(i, i / 59.94) for i in range(100)]
    resampled = list(resample(iter(frames), fps=60.0))
    numbers = [int(frame.image[0, 0, 0]) for frame in resampled]
    assert numbers == list(range(100))
