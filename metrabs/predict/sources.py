"""Finding images and videos, and reading their frames."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable, Optional, TypeVar, cast

import cv2
import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg")
# After this many consecutive undecodable frames, the video is considered to have ended.
_MAX_DAMAGED_FRAMES = 30

Item = TypeVar("Item")
Report = Callable[[str], None]
"""Receives a message about something that was skipped."""


@dataclasses.dataclass(frozen=True)
class Source:
    """An image or a video.

    Attributes:
        path: Path of the file.
        name: Path relative to the given folder, with suffix; outputs are named after it.
        is_video: Whether it is a video.
    """

    path: pathlib.Path
    name: str
    is_video: bool


@dataclasses.dataclass(frozen=True)
class Frame:
    """One image, or one image of a video.

    Attributes:
        image: uint8 RGB `[h, w, 3]`.
        index: Index of the frame in its video; 0 for images.
        time_s: Seconds from the start of the video; None for images.
    """

    image: np.ndarray
    index: int = 0
    time_s: Optional[float] = None


def find_sources(
    inputs: Sequence[PathLike], output: Optional[pathlib.Path] = None
) -> list[Source]:
    """Finds images and videos in the given files and folders, sorted by name.

    Args:
        inputs: Files, and folders, which are searched for known suffixes at any depth.
        output: Folder of outputs, which are never inputs, even within one of the folders.

    Raises:
        UserError: an input does not exist, nothing is found, two inputs have the same name, or an
            input folder lies in that of the outputs.
    """
    sources: dict[str, Source] = {}
    for given in map(pathlib.Path, inputs):
        for path, name in _files_of(given, output):
            if name in sources and sources[name].path.resolve() != path.resolve():
                raise UserError(
                    f"'{sources[name].path}' and '{path}' would have outputs of the same name. "
                    "Process them separately, into different folders."
                )
            sources[name] = Source(path, name, path.suffix.lower() in VIDEO_SUFFIXES)
    if not sources:
        raise UserError(
            f"There are no images or videos in {', '.join(map(repr, map(str, inputs)))}. Known "
            f"suffixes: {' '.join((*IMAGE_SUFFIXES, *VIDEO_SUFFIXES))}."
        )
    return [sources[name] for name in sorted(sources)]


def read_image(path: pathlib.Path) -> Optional[Frame]:
    """Reads an image, rotated according to its EXIF data; returns None if it is unreadable."""
    try:
        data = np.fromfile(path, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except (OSError, cv2.error):
        return None
    return None if bgr is None else Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def read_ahead(items: Iterable[Item], num_ahead: int) -> Iterator[Item]:
    """Yields the same items, while another thread prepares the next few.

    Args:
        items: Items, such as a generator of frames; only that thread iterates over them.
        num_ahead: Largest number of items that are prepared.
    """
    iterator, end = iter(items), object()
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=1)
    try:
        pending = collections.deque(pool.submit(next, iterator, end) for _ in range(num_ahead))
        while (item := pending.popleft().result()) is not end:
            pending.append(pool.submit(next, iterator, end))
            yield cast(Item, item)
    finally:
        pool.shutdown(cancel_futures=True)


class Video:
    """The frames of a video file.

    Args:
        path: Path of the file.

    Attributes:
        fps: Frames per second; 25 if unknown.
        num_frames: Number of frames according to the file; 0 if unknown.

    Raises:
        UserError: the file cannot be opened as a video.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        capture = self._open()
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if np.isfinite(fps) and 0 < fps < 1000 else 25.0
        self.num_frames = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        capture.release()

    def frames(self, report: Optional[Report] = None) -> Iterator[Frame]:
        """Reads the frames in order, skipping undecodable ones.

        Args:
            report: Receives a message about skipped frames.
        """
        report = report or (lambda message: None)
        capture, index, num_damaged = self._open(), 0, 0
        try:
            while num_damaged < _MAX_DAMAGED_FRAMES:
                is_read, bgr = capture.read()
                if is_read and bgr is not None:
                    yield Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), index, index / self.fps)
                    num_damaged = 0
                elif index >= self.num_frames:
                    return
                else:
                    num_damaged += 1
                    if num_damaged == 1:
                        report(f"{self.path}: frame {index} of {self.num_frames} is unreadable")
                index += 1
            report(f"{self.path}: the video ends early, before frame {index - num_damaged + 1}")
        finally:
            capture.release()

    def _open(self) -> cv2.VideoCapture:
        capture = cv2.VideoCapture(str(self.path))
        if not capture.isOpened():
            raise UserError(f"'{self.path}' cannot be read as a video; it may be damaged.")
        return capture


def _files_of(
    given: pathlib.Path, output: Optional[pathlib.Path]
) -> Iterator[tuple[pathlib.Path, str]]:
    if given.is_file():
        yield given, given.name
        return
    if not given.is_dir():
        raise UserError(f"'{given}' does not exist. Give an image, a video, or a folder of them.")
    excluded = None if output is None else output.resolve()
    if excluded in (given.resolve(), *given.resolve().parents):
        raise UserError(
            f"'{given}' lies in the folder of the results, '{output}', whose content is not "
            "an input. Choose another --output."
        )
    for path in sorted(given.rglob("*")):
        is_known = path.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
        if not is_known or not path.is_file() or path.name.startswith("."):
            continue
        if excluded is None or excluded not in path.resolve().parents:
            yield path, path.relative_to(given).as_posix()
