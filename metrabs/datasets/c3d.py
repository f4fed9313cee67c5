"""Reading C3D files, the common format of optical motion capture."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from metrabs.datasets.readers import reading
from metrabs.errors import UserError
from metrabs.files import PathLike

_MM_PER_UNIT = {"mm": 1.0, "cm": 10.0, "m": 1000.0}


class MarkerRecording(NamedTuple):
    """A recording of markers, or of joints computed from them.

    Attributes:
        points_mm: float32 `[n, P, 3]`, positions by frame; NaN where a marker is missing.
        labels: Names of the P points, as far as the file gives them.
        rate_hz: Frames per second.
    """

    points_mm: np.ndarray
    labels: tuple[str, ...]
    rate_hz: float


def read_c3d(path: PathLike) -> MarkerRecording:
    """Reads the points of a C3D file.

    Raises:
        UserError: the file is missing or is not a C3D file, or the package ezc3d is missing.
    """
    try:
        import ezc3d
    except ImportError as error:
        raise UserError(
            "Reading C3D files needs the package ezc3d. Install the extra: "
            'pip install -e ".[data]"'
        ) from error
    with reading(path, "a C3D file with points in mm, cm or m"):
        content = ezc3d.c3d(os.fspath(path))
        parameters = content["parameters"]["POINT"]
        unit = (parameters.get("UNITS", {}).get("value") or ["mm"])[0]
        # Missing points are NaN already; the fourth row is always 1.
        points = content["data"]["points"][:3].transpose(2, 1, 0)
        points_mm = (points * _MM_PER_UNIT[unit]).astype(np.float32)
        labels = parameters.get("LABELS", {}).get("value", [])
        return MarkerRecording(points_mm, tuple(labels), float(parameters["RATE"]["value"][0]))
