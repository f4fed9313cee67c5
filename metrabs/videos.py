"""Reading videos: frames in order, upright, with the time stamps that the file gives them.

What a container says about itself is often an estimate (the number of frames of Matroska comes
from the duration) or concerns only how the video is shown (rotation, edit lists). The reader obeys
the latter and does not rely on the former. PyAV decodes: unlike OpenCV's reader, it knows time
stamps, edit lists, rotation and damage.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Callable, Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike

_DEFAULT_FPS = 25.0
_MAX_FPS = 1000.0

Report = Callable[[str], None]
"""Takes a message about something that had to be left out."""


@dataclasses.dataclass(frozen=True)
class VideoFrame:
    """One frame of a video.

    Attributes:
        index: Number of the frame among those that can be decoded, from 0.
        time_s: Seconds after the first frame, by the time stamps of the file.
        convert: Makes the image; frames that nobody looks at cost only their decoding.
    """

    index: int
    time_s: float
    convert: Callable[[], np.ndarray]

    @functools.cached_property
    def image(self) -> np.ndarray:
        """Image of the frame, uint8 RGB `[h, w, 3]`."""
        return self.convert()


class VideoReader:
    """The frames of a video file.

    Args:
        path: File in any format that FFmpeg decodes; the name may hold any bytes.
        upright: Whether to turn frames as the file's rotation metadata say, as players do. Data
            preparation leaves frames as stored, since annotations refer to the stored pixels.
        num_threads: Decoding threads; 0: one per CPU.

    Attributes:
        path: As given.
        fps: Average number of frames per second, 25 where the file does not say.
        announced_frames: Number of frames according to the file, an estimate; 0 if none.

    Raises:
        UserError: The file does not exist, or there is no video stream in it.
    """

    def __init__(self, path: PathLike, upright: bool = True, num_threads: int = 0) -> None:
        self.path = pathlib.Path(path)
        self._upright, self._num_threads = upright, num_threads
        with self._open() as (_, stream):
            self.fps = _frame_rate(stream)
            self.announced_frames = _announced_frames(stream, self.fps)

    def frames(self, report: Optional[Report] = None) -> Iterator[VideoFrame]:
        """Reads all frames in order, without those that cannot be decoded.

        Args:
            report: Called with a message about each damage.
        """
        index, start_s = 0, None
        with self._open() as (container, stream):
            for frame in self._decoded(container, stream, report or (lambda message: None)):
                time_s = frame.time if frame.time is not None else index / self.fps
                start_s = time_s if start_s is None else start_s
                yield VideoFrame(index, time_s - start_s, functools.partial(self._image, frame))
                index += 1

    def _decoded(self, container: Any, stream: Any, report: Report) -> Iterator[Any]:
        import av

        num_packets = 0
        try:
            for packet in container.demux(stream):
                num_packets += packet.size > 0
                if packet.is_corrupt:
                    report(f"{self.path}: damaged{_at(packet)}")
                try:
                    yield from packet.decode()
                except av.FFmpegError:
                    report(f"{self.path}: a frame cannot be decoded{_at(packet)}")
        except av.FFmpegError as error:
            report(f"{self.path}: reading stopped: {error.strerror}")
        expected = _indexed_frames(container, stream)
        if num_packets < expected:
            report(f"{self.path}: only {num_packets} of {expected} frames can be read")

    def _image(self, frame: Any) -> np.ndarray:
        image = frame.to_ndarray(format="rgb24")
        quarter_turns = round(getattr(frame, "rotation", 0) / 90) % 4
        if self._upright and quarter_turns:
            return np.ascontiguousarray(np.rot90(image, quarter_turns))
        return image

    @contextlib.contextmanager
    def _open(self) -> Iterator[tuple[Any, Any]]:
        import av  # here, since it takes 0.1 s and few programs read videos

        if not os.path.exists(self.path):
            raise UserError(f"Video '{self.path}' does not exist.")
        # By file object: FFmpeg's own way to open files takes only UTF-8 names.
        with open(self.path, "rb") as file:
            try:
                container = av.open(file, metadata_errors="replace")
            except (av.FFmpegError, OSError) as error:
                raise UserError(
                    f"'{self.path}' cannot be read as a video ({error.strerror}); it is damaged "
                    "or was not copied completely."
                ) from error
            with container:
                if not container.streams.video:
                    raise UserError(
                        f"'{self.path}' contains no video, only {_content(container)}."
                    )
                stream = container.streams.video[0]
                stream.codec_context.thread_count = self._num_threads
                stream.thread_type = "AUTO"
                yield container, stream


def resample(frames: Iterator[VideoFrame], fps: float) -> Iterator[VideoFrame]:
    """Yields frames at a constant rate: for each tick, the last frame that is shown by then.

    Args:
        frames: Frames in order.
        fps: Frames per second of the result.

    Yields:
        Frames with index k and time k / fps; some frames may be missing, others repeated.
    """
    tick, previous = 0, None
    half_tick_s = 0.5 / fps
    for frame in frames:
        while previous is not None and tick / fps + half_tick_s < frame.time_s:
            yield dataclasses.replace(previous, index=tick, time_s=tick / fps)
            tick += 1
        previous = frame
    if previous is not None and tick / fps <= previous.time_s + half_tick_s:
        yield dataclasses.replace(previous, index=tick, time_s=tick / fps)


def _frame_rate(stream: Any) -> float:
    rates: list[Optional[Fraction]] = [stream.average_rate, stream.guessed_rate, stream.base_rate]
    return next((float(rate) for rate in rates if rate and 0 < rate < _MAX_FPS), _DEFAULT_FPS)


def _announced_frames(stream: Any, fps: float) -> int:
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        return round(float(stream.duration * stream.time_base) * fps)
    return 0


def _indexed_frames(container: Any, stream: Any) -> int:
    """Returns how many frames there must be, 0 if the file does not say exactly."""
    if "mp4" in container.format.name:
        return stream.frames  # entries of the index, including those that an edit list hides
    if container.format.name == "avi" and stream.duration and stream.average_rate:
        return int(stream.duration * stream.time_base * stream.average_rate)
    return 0


def _at(packet: Any) -> str:
    if packet.pts is None or packet.time_base is None:
        return ""
    return f" at {float(packet.pts * packet.time_base):.2f} s"


def _content(container: Any) -> str:
    kinds = sorted({stream.type for stream in container.streams})
    return " and ".join(kinds) or "nothing"
