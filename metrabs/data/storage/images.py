"""Reading images from files, or from the archive into which a folder was packed."""

from __future__ import annotations

import os
from typing import Optional

import cv2
import numpy as np

from metrabs.data.storage.image_archive import archive_of_folder
from metrabs.errors import UserError

_JPEG_START, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class ImageError(UserError):
    """An image is missing or damaged.

    Attributes:
        path: Path of the image.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(
            f"Image '{path}' {reason}. Restore the file, or check that the data root is the "
            "folder for which the dataset was prepared."
        )
        self.path = path
        self._reason = reason

    def __reduce__(self) -> tuple[type[ImageError], tuple[str, str]]:
        return ImageError, (self.path, self._reason)


def read_image(path: str) -> np.ndarray:
    """Reads an image as uint8 [h, w, 3] RGB, ignoring its EXIF orientation.

    Args:
        path: Path of the file. If it does not exist, but one of its parent folders was packed into
            an archive (`metrabs.data.storage.image_archive`), the file is read from there.

    Raises:
        ImageError: the file is missing, is not an image or is truncated.
    """
    data = _read_bytes(path)
    if data is None:
        raise ImageError(path, "does not exist")
    # OpenCV would silently fill the missing part of a truncated JPEG with grey.
    if _is_cut_jpeg(data):
        raise ImageError(path, "ends too early")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:  # no data at all, or an absurd size
        raise ImageError(path, "cannot be decoded") from error
    if image is None:
        raise ImageError(path, "cannot be decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def _is_cut_jpeg(data: bytes) -> bool:
    """Returns whether the end marker is missing after the last scan of a JPEG."""
    if _JPEG_END in data[-64:] or not data.startswith(_JPEG_START):
        return False
    return data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN)


def _read_bytes(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return _read_from_archive(path)
    except OSError as error:
        raise ImageError(path, f"cannot be read ({error})") from error


def _read_from_archive(path: str) -> Optional[bytes]:
    folder = os.path.dirname(path)
    while folder and folder != os.path.dirname(folder):
        archive = archive_of_folder(folder)
        if archive is not None:
            name = os.path.relpath(path, folder).replace(os.sep, "/")
            data = archive.read(name)
            if data is not None:
                return data
        folder = os.path.dirname(folder)
    return None
