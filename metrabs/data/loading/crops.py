"""The square crop of a person: its virtual camera and its image."""

from __future__ import annotations

from typing import Optional

import cv2
import numpy as np

from metrabs.config import LoadingConfig
from metrabs.data.augmentation.geometric import GeometricAugmentation
from metrabs.data.examples import Example
from metrabs.data.storage.images import read_image
from metrabs.errors import UserError
from metrabs.folders import DataFolders
from metrabs.geometry import boxes
from metrabs.geometry.camera import Camera
from metrabs.geometry.reprojection import (
    interpolation_flag,
    reproject_image,
    reproject_image_points,
)

# An image without calibration is treated as if seen from far away.
_UNCALIBRATED_FOV_DEGREES = 8


def load_image(example: Example, folders: Optional[DataFolders] = None) -> np.ndarray:
    """Returns the image of an example, uint8 [h, w, 3] RGB, from memory or from its file.

    Args:
        example: The example.
        folders: Where data are; default: as the environment says.

    Raises:
        UserError: the file is missing or is not an image.
    """
    if example.image is not None:
        return example.image
    return read_image((folders or DataFolders.at()).image_path(example.image_path))


def calibrated_crop_camera(
    camera: Camera, box_ltwh: np.ndarray, side: int, augmentation: GeometricAugmentation
) -> Camera:
    """Returns the camera of a square crop: turned towards the box, its longer side filling it.

    Args:
        camera: Camera of the stored image.
        box_ltwh: float32 [4], pixels of the stored image.
        side: Side of the crop, pixels.
        augmentation: Geometric augmentation.
    """
    center = _shifted_center(box_ltwh, augmentation)
    half_extent = box_ltwh[2:] / 2 * (box_ltwh[2:] == box_ltwh[2:].max())
    if half_extent.all():  # for a square, the width is used
        half_extent[1] = 0
    crop_camera = camera.turn_towards(target_image_point=center, inplace=False)
    crop_camera.undistort().square_pixels()
    ends = np.stack([center - half_extent, center + half_extent])
    start, end = reproject_image_points(ends, camera, crop_camera)
    crop_camera.zoom(side / np.linalg.norm(end - start))
    _apply_augmentation(crop_camera, augmentation)
    return crop_camera.center_principal_point((side, side))


def uncalibrated_crop_camera(
    imshape: tuple[int, ...], box_ltwh: np.ndarray, side: int, augmentation: GeometricAugmentation
) -> tuple[Camera, Camera]:
    """Returns a stand-in for the camera of an image without calibration, and that of a crop.

    Args:
        imshape: (height, width, ...) of the stored image.
        box_ltwh, side, augmentation: As in `calibrated_crop_camera`.
    """
    center = _shifted_center(box_ltwh, augmentation)
    camera = Camera.from_fov(_UNCALIBRATED_FOV_DEGREES, imshape)
    crop_camera = camera.zoom(side / box_ltwh[2:].max(), inplace=False)
    _apply_augmentation(crop_camera, augmentation)
    center_in_crop = reproject_image_points(center, camera, crop_camera)
    return camera, crop_camera.shift_to_center(center_in_crop, (side, side))


def render_crop(
    image: np.ndarray,
    camera: Camera,
    crop_camera: Camera,
    config: LoadingConfig,
    is_training: bool,
) -> np.ndarray:
    """Returns the view of the crop camera on an image; 0 outside the image.

    Args:
        image: uint8 [h, w, channels] or [h, w].
        camera: Camera of the image.
        crop_camera: Camera of the result, [side, side(, channels)].
        config: Side, interpolation and antialiasing, the latter two chosen by `is_training`.
        is_training: Whether to use the settings of training.
    """
    name = config.image_interpolation_train if is_training else config.image_interpolation_test
    return reproject_image(
        image,
        camera,
        crop_camera,
        (config.proc_side, config.proc_side),
        interp=interpolation_flag(name),
        antialias_factor=config.antialias_train if is_training else config.antialias_test,
    )


def append_mask_channel(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns an image uint8 [h, w, 3] with its mask uint8 [h, w] as fourth channel.

    Raises:
        UserError: the mask does not have the size of the image.
    """
    if mask.shape != image.shape[:2]:
        raise UserError(
            f"An image of {image.shape[0]} x {image.shape[1]} pixels has a person mask of "
            f"{mask.shape[0]} x {mask.shape[1]}. Prepare its dataset again."
        )
    layers = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    return cv2.insertChannel(mask, layers, 3)


def split_mask_channel(layers: np.ndarray) -> tuple[np.ndarray, Optional[np.ndarray]]:
    """Undoes `append_mask_channel`; the mask of an image [h, w, 3] is None."""
    if layers.shape[-1] == 3:
        return layers, None
    return cv2.cvtColor(layers, cv2.COLOR_RGBA2RGB), cv2.extractChannel(layers, 3)


def is_in_crop(points_px: np.ndarray, side: int) -> np.ndarray:
    """Returns bool [J], whether points [J, 2] are inside the crop; NaN counts as inside."""
    with np.errstate(invalid="ignore"):
        return ~((points_px < 0) | (points_px >= side)).any(axis=-1)


def fill_missing_with_zeros(points: np.ndarray) -> np.ndarray:
    """Returns points [J, 2 or 3] with zeros in place of NaN and of infinity.

    Deviation: the original replaces infinity, the image position of a joint exactly level with the
    camera, by the largest float; a loss that squares it is infinite even if it is masked.
    """
    return np.where(np.isfinite(points), points, np.zeros((), points.dtype))


def _shifted_center(box_ltwh: np.ndarray, augmentation: GeometricAugmentation) -> np.ndarray:
    return boxes.center(box_ltwh) + augmentation.shift * box_ltwh[2:].max()


def _apply_augmentation(camera: Camera, augmentation: GeometricAugmentation) -> None:
    camera.zoom(augmentation.zoom).rotate(roll=augmentation.roll)
    if augmentation.is_mirrored:
        camera.horizontal_flip()
