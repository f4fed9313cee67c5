"""Example images for an exported model: photographs and a rendered scene."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence
from typing import Optional

import cv2
import numpy as np

from metrabs.errors import UserError
from metrabs.files import atomic_path
from metrabs.synthetic.scene import render_scene

_SCENE_PEOPLE = 3
_SCENE_SIZE_WH = (640, 480)


def collect_example_images(
    photos: Sequence[pathlib.Path], folder: pathlib.Path, seed: int
) -> list[pathlib.Path]:
    """Gathers the example images in one folder.

    Args:
        photos: Photographs to include.
        folder: Where the folder `images/` is created.
        seed: Random seed of the rendered scene.

    Returns:
        The files, JPEG or PNG: the photographs, scikit-image's astronaut where that package is
        installed, and a rendered scene with several people.

    Raises:
        UserError: a photograph cannot be read as an image.
    """
    images = folder / "images"
    images.mkdir(exist_ok=True)
    paths = [_copy(photo, images, number) for number, photo in enumerate(photos)]
    astronaut = _astronaut()
    if astronaut is not None:
        paths.append(_write(astronaut, images / "astronaut.png"))
    scene = render_scene(np.random.default_rng(seed), _SCENE_PEOPLE, *_SCENE_SIZE_WH)
    return [*paths, _write(scene.image, images / "rendered_scene.png")]


def _copy(photo: pathlib.Path, folder: pathlib.Path, number: int) -> pathlib.Path:
    if cv2.imread(str(photo)) is None:
        raise UserError(f"'{photo}' cannot be read as an image. Give a JPEG or PNG file.")
    target = folder / f"{number}_{photo.name}"
    with atomic_path(target) as path:
        shutil.copyfile(photo, path)
    return target


def _astronaut() -> Optional[np.ndarray]:
    try:
        import skimage.data
    except ImportError:  # comes with the extra `demo`
        return None
    return skimage.data.astronaut()


def _write(image_rgb: np.ndarray, target: pathlib.Path) -> pathlib.Path:
    with atomic_path(target) as path:
        cv2.imwrite(str(path), image_rgb[..., ::-1])
    return target
