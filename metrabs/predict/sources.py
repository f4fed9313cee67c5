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
# So many frames in a row that cannot be decoded mean that nothing follows.
_MAX_DAMAGED_FRAMES = 30

Item = TypeVar("Item")
Report = Callable[[str], None]
"""Takes a message about something that had to be skipped."""


@dataclasses.dataclass(frozen=True)
class Source:
    """An image or a video.

    Attributes:
        path: of the file.
        name: relative to the folder that was given, with its suffix; outputs are named after it.
        is_video: whether it has several frames.
    """

    path: pathlib.Path
    name: str
    is_video: bool


@dataclasses.dataclass(frozen=True)
class Frame:
    """One image, or one image of a video.

    Attributes:
        image: uint8 RGB `[h, w, 3]`.
        index: of the frame in its video; 0 for images.
        time_s: seconds from the start of the video; None for images.
    """

    image: np.ndarray
    index: int = 0
    time_s: Optional[float] = None


def find_sources(
    inputs: Sequence[PathLike], output: Optional[pathlib.Path] = None
) -> list[Source]:
    """Finds the images and videos that the given files and folders mean, sorted by name.

    Args:
        inputs: files, or folders, in which everything with a known suffix counts, at any depth.
        output: folder whose content is no input, even if it lies within one of the folders.

    Raises:
        UserError: something does not exist, there is nothing, two inputs have the same name, or
            a folder lies in that of the outputs.
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
    """Reads an image, upright as its EXIF data say; returns None if that is impossible."""
    try:
        data = np.fromfile(path, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except (OSError, cv2.error):
        return None
    return None if bgr is None else Frame(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))


def read_ahead(items: Iterable[Item], num_ahead: int) -> Iterator[Item]:
    """Yields the same items, while another thread works on the next few.

    Args:
        items: for instance a generator of frames; used by that thread alone.
        num_ahead: how many items wait at most.
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
        path: of the file.

    Attributes:
        fps: frames per second, 25 where the file does not tell.
        num_frames: as announced by the file, 0 where it does not tell.

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
        """Reads the frames in order, leaving out those that cannot be decoded.

        Args:
            report: is told about frames that were left out.
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
            report(f"{self.path}: it ends early, before frame {index - num_damaged + 1}")
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
        raise UserError(f"There is no '{given}'. Give an image, a video, or a folder with some.")
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
