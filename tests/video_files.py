"""Writes small videos whose frames show their number, in the ways in which devices write them."""

from __future__ import annotations

import pathlib
import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Optional

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
_BRIGHTNESS_PER_FRAME = 10
_SIXTEEN_BIT_ONE, _THIRTY_BIT_ONE = 1 << 16, 1 << 30
# Rows (a, b), (c, d) of the display matrix for a clockwise turn when shown, in degrees.
_TURNS = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def numbered_frame(index: int) -> np.ndarray:
    """Returns uint8 `[48, 64, 3]`: grey level 10 times the index, white left half of the top."""
    image = np.full([HEIGHT, WIDTH, 3], _BRIGHTNESS_PER_FRAME * index, np.uint8)
    image[:16, :32] = 255
    return image


def number_of(image: np.ndarray) -> int:
    """Returns the number of a frame from its darkest part."""
    return round(float(np.percentile(image, 25)) / _BRIGHTNESS_PER_FRAME)


def write_video(
    path: pathlib.Path,
    times_ms: Sequence[int],
    codec: str = "libx264",
    sound_seconds: Optional[float] = None,
) -> pathlib.Path:
    """Writes a video.

    Args:
        path: The suffix gives the container.
        times_ms: Time stamp of each frame.
        codec: Name of the encoder.
        sound_seconds: Length of a silent sound track; None: no such track.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        is_regular = all(time_ms % 40 == 0 for time_ms in times_ms)
        unit_ms = 40 if is_regular else 1  # AVI counts frames in it
        time_base = Fraction(unit_ms, 1000)
        stream.codec_context.time_base = time_base
        stream.codec_context.gop_size = 8
        sound = container.add_stream("aac", rate=8000) if sound_seconds is not None else None
        for index, time_ms in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(numbered_frame(index), format="rgb24")
            frame.pts, frame.time_base = time_ms // unit_ms, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            samples = av.AudioFrame.from_ndarray(
                np.zeros([1, int(8000 * (sound_seconds or 0))], np.float32), "fltp", "mono"
            )
            samples.sample_rate = 8000
            container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
    return path


def turn_when_shown(path: pathlib.Path, clockwise_degrees: int) -> pathlib.Path:
    """Changes the display matrix of an MP4 or MOV file, as phones do that are held upright."""
    content = bytearray(path.read_bytes())
    a, b, c, d = (_SIXTEEN_BIT_ONE * value for value in _TURNS[clockwise_degrees])
    matrix = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, _THIRTY_BIT_ONE)
    start = content.index(b"tkhd") + 44  # type, version, times, track, duration, layer, volume
    content[start : start + len(matrix)] = matrix
    path.write_bytes(content)
    return path
