"""Reading the videos of datasets frame by frame, strictly in order.

Frames are never sought: decoders land on neighbouring frames when asked to jump. Frames that are
not wanted are decoded but not converted. They are left as stored, even if the file says that
players should turn them, since annotations refer to the stored pixels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Optional

import numpy as np

from metrabs.errors import UserError
from metrabs.files import PathLike
from metrabs.videos import VideoReader, resample


def read_frames(
    path: PathLike,
    indices: Optional[Collection[int]] = None,
    tolerated_shortage: int = 0,
    fps: Optional[float] = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yields (index, uint8 [h, w, 3] RGB) of the frames of a video in order.

    The video is decoded to its end, since damage in the middle, which shifts all later frames,
    shows only there.

    Args:
        path: Any file that FFmpeg decodes.
        indices: Numbers of the wanted frames, from 0; default: all.
        tolerated_shortage: By how many frames an intact video may end before the last wanted one.
        fps: Rate of the frames to which the numbers refer, where it is not that of the file:
            frames are then repeated or left out, by their time stamps.

    Raises:
        UserError: The file is missing, is not a video, ends too early, or has frames that cannot
            be decoded. It is raised after the last frame where the damage does not show before.
    """
    # One thread, since sequences are processed in parallel.
    reader = VideoReader(path, upright=False, num_threads=1)
    damage: list[str] = []
    frames = reader.frames(damage.append)
    num_frames = 0
    for frame in frames if fps is None else resample(frames, fps):
        num_frames = frame.index + 1
        if indices is None or frame.index in indices:
            yield frame.index, frame.image
    if damage or num_frames == 0:
        reason = damage[0] if damage else f"{path}: it contains no frames"
        raise UserError(f"Video '{path}' is damaged{reason[len(str(path)) :]}. Download it again.")
    if indices and num_frames + tolerated_shortage <= max(indices):
        raise UserError(
            f"Video '{path}' has {num_frames} frames, but frame {max(indices)} is annotated: "
            "video and annotation do not belong together, or one was cut off. Download both again."
        )
