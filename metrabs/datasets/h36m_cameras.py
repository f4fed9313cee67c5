"""The cameras of Human3.6M, which its metadata file lists for all subjects."""

from __future__ import annotations

import functools
import pathlib
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np

from metrabs.datasets.readers import reading
from metrabs.geometry.camera import Camera

CAMERA_NAMES = ("54138969", "55011271", "58860488", "60457274")
_NUM_CAMERAS, _NUM_SUBJECTS = 4, 11
_NUM_EXTRINSIC = _NUM_CAMERAS * _NUM_SUBJECTS * 6


@functools.lru_cache(maxsize=2)
def read_cameras(path: pathlib.Path) -> list[list[Camera]]:
    """Reads `metadata.xml`.

    Returns:
        The cameras by subject (its number less 1) and index in CAMERA_NAMES. Do not change them.

    Raises:
        UserError: the file is missing or is not what is expected.
    """
    with reading(path, "Human3.6M's metadata with 300 camera parameters in the element w0"):
        text = ElementTree.parse(path).getroot().findtext(".//w0") or ""
        numbers = np.array(text.strip("[] \n").split(), np.float64)
        extrinsics = numbers[:_NUM_EXTRINSIC].reshape(_NUM_CAMERAS, _NUM_SUBJECTS, 6)
        intrinsics = numbers[_NUM_EXTRINSIC:].reshape(_NUM_CAMERAS, 9)
    return [
        [_camera(*numbers) for numbers in zip(extrinsics[:, subject], intrinsics)]
        for subject in range(_NUM_SUBJECTS)
    ]


def _camera(extrinsics: np.ndarray, intrinsics: np.ndarray) -> Camera:
    """Builds a camera of angles about x, y, z and a position in mm; and fx, fy, cx, cy, lens."""
    fx, fy, cx, cy, k1, k2, k3, p1, p2 = intrinsics
    about_x, about_y, about_z = (
        cv2.Rodrigues(angle * axis)[0] for angle, axis in zip(extrinsics[:3], np.eye(3)))
    return Camera(
        optical_center=extrinsics[3:],
        rot_world_to_cam=about_x @ about_y @ about_z,
        intrinsic_matrix=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        distortion_coeffs=[k1, k2, p1, p2, k3],
        world_up=(0, 0, 1),
    )
